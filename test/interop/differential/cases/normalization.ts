// MeshConfig.pathNormalization, level by level: what a DENY for /admin still catches, and which path the workload sees (security
// spec 2.8). Each level is a mesh of its own; BASE, the default, is among the cases of authorization.
import type { Ask, Case, Expected } from '../case.ts'

import { accessLogFormat } from '../mesh-files.ts'

const denied: Expected = { status: 403, body: 'RBAC: access denied', to: [] }
const seen = (path: string): Expected => ({ status: 200, to: ['a'], path })
const raw = (path: string, expect: Expected, more: Partial<Ask> = {}): Ask => ({ raw: `GET ${path} HTTP/1.1\r\nhost: $host\r\nconnection: close\r\n\r\n`, expect, ...more })

function level(normalization: string, asks: readonly Ask[]): readonly Case[] {
  const yaml = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admin, namespace: edge }
spec: { action: DENY, rules: [{ to: [{ operation: { hosts: [$host], paths: [/admin, "/admin/*"] } }] }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    ${JSON.stringify({ accessLogFile: '/dev/stdout', accessLogFormat, pathNormalization: { normalization } })}
`
  return [{ title: `paths under ${normalization}`, role: 'gateway', http: '[{ route: [{ destination: { host: a } }] }]', yaml, asks, issues: /has nothing but attributes of HTTP/ }]
}

export const asReceived = level('NONE', [
  raw('/admin', denied), raw('/admin/x', denied), raw('//admin', seen('//admin')), raw('/./admin', seen('/./admin')), raw('/x/../admin', seen('/x/../admin')), raw('/%61dmin', seen('/%61dmin')),
  raw('/admin%2fx', seen('/admin%2fx')), raw('/admin?x=/../y', denied),
])

export const mergedSlashes = level('MERGE_SLASHES', [
  raw('/admin', denied), raw('//admin', denied), raw('///admin//x', denied), raw('/./admin', denied), raw('/x/../admin', denied), raw('/%61dmin', denied), raw('/x//y', seen('/x/y')),
  raw('/admin%2fx', seen('/admin%2fx')), raw('/%2fadmin', seen('/%2fadmin')), raw('/x?y=//z', seen('/x?y=//z')),
])

export const decodedSlashes = level('DECODE_AND_MERGE_SLASHES', [
  raw('/admin', denied), raw('//admin', denied), raw('/admin%2fx', denied), raw('/admin%2Fx', denied), raw('/%2fadmin', denied), raw('/admin%5cx', denied), raw('/x/..%2fadmin', denied), raw('/x%2f%2fy', seen('/x/y')),
  raw('/%61dmin', denied), raw('/x?y=%2f', seen('/x?y=%2f')),
])

