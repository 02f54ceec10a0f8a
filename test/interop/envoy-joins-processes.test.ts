// A real Envoy as one more proxy of a mesh of processes: it joins `trysail control` over plaintext, takes Bookinfo as a
// sidecar and as a gateway, and serves requests to our sidecars over mutual TLS, both ways.
import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestNode } from '../support/ads-client.ts'
import { createAuthority } from '../support/certificates.ts'
import type { TestAuthority } from '../support/certificates.ts'
import { freePort } from '../support/hosts.ts'
import { request, requestThrough } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { findEnvoy } from './envoy-binary.ts'
import { startAgent, startEnvoy } from './real-envoy.ts'
import type { RunningEnvoy } from './real-envoy.ts'
import { until } from '../support/until.ts'

const { path: envoy, missing } = findEnvoy()
const skip = missing ?? false

const node = (type: 'sidecar' | 'router', ip: string, name: string, more: Readonly<Record<string, unknown>> = {}): TestNode => ({
  id: `${type}~${ip}~${name}.default~default.svc.cluster.local`,
  metadata: { NAME: name, NAMESPACE: 'default', SERVICE_ACCOUNT: name, LABELS: { app: name }, ...more },
})

async function joinAs(mesh: ProcessMesh, authority: TestAuthority, who: TestNode, account: string): Promise<RunningEnvoy> {
  const agent = mesh.use(await startAgent({ roots: authority.roots, own: authority.issue(`URI:spiffe://cluster.local/ns/default/sa/${account}`) }))
  const port = Number(mesh.addresses.plaintext.split(':')[1])
  return mesh.use(startEnvoy({ envoy: envoy!, node: who, apiType: 'DELTA_GRPC', port, agentPort: agent.plaintextAddress!.port, strict: true }))
}

interface Synced {
  readonly node: string
  readonly types: Readonly<Record<string, { readonly sent: number; readonly acked: number; readonly nacked: number; readonly error: string }>>
}

async function synced(mesh: ProcessMesh, id: string): Promise<Synced['types'] | undefined> {
  const { proxies } = (await (await fetch(`http://${mesh.addresses.debug}/debug/syncz`)).json()) as { proxies: readonly Synced[] }
  return proxies.find((one) => one.node === id)?.types
}

test('Envoy as a gateway and as a sidecar reaches our sidecar over mutual TLS', { skip, timeout: 90_000 }, async () => {
  const authority = createAuthority('mesh root')
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.takeRoot(authority)
  const [gatewayPort, forwardPort] = [await freePort(), await freePort()]
  mesh.write('gateway.yaml', `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: envoy, namespace: default }
spec: { selector: { app: envoy }, servers: [{ port: { number: ${gatewayPort}, name: http, protocol: HTTP }, bind: 127.0.0.1, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: envoy, namespace: default }
spec: { hosts: ['*'], gateways: [envoy], http: [{ route: [{ destination: { host: reviews } }] }] }
`)
  const control = await mesh.startControl()
  await (await mesh.startReviews(app.at)).saying(/info +serves/)
  const gateway = node('router', `${mesh.net}.5`, 'envoy')
  const sidecar = node('sidecar', `${mesh.net}.3`, 'productpage', { HTTP_PROXY_PORT: String(forwardPort) })
  const running = await Promise.all([joinAs(mesh, authority, gateway, 'envoy'), joinAs(mesh, authority, sidecar, 'productpage')])
  await Promise.all(running.map((one) => one.live()))

  const identity = (account: string): string => `spiffe://cluster.local/ns/default/sa/${account}\n`
  const answer = await request(`http://127.0.0.1:${gatewayPort}/`)
  assert.deepEqual([answer.status, answer.body], [200, identity('envoy')], running[0]!.output())
  const forwarded = await requestThrough({ host: '127.0.0.1', port: forwardPort }, 'http://reviews:9080/')
  assert.deepEqual([forwarded.status, forwarded.body], [200, identity('productpage')], running[1]!.output())
  for (const { id } of [gateway, sidecar]) {
    const types = await synced(mesh, id)
    assert.ok(types !== undefined, `${id} is connected`)
    for (const [type, { sent, acked, nacked, error }] of Object.entries(types)) assert.deepEqual([type, acked, nacked, error], [type, sent, 0, ''])
  }
  assert.doesNotMatch(control.output, /rejected|NACK/i)
})

test('Envoy takes Bookinfo from trysail control as a sidecar and as a gateway, without refusing anything', { skip, timeout: 90_000 }, async () => {
  const authority = createAuthority('mesh root')
  await using mesh = await ProcessMesh.create()
  mesh.takeRoot(authority)
  symlinkSync(new URL('../../samples/bookinfo/mesh', import.meta.url).pathname, join(mesh.folder, 'mesh', 'bookinfo'))
  await mesh.startControl()
  const nodes = [node('sidecar', '127.1.0.9', 'productpage'), node('router', '127.1.0.10', 'ingress', { LABELS: { istio: 'ingressgateway' } })]
  const running = await Promise.all(nodes.map((one) => joinAs(mesh, authority, one, 'bookinfo')))
  for (const [i, { id }] of nodes.entries()) {
    const done = async (): Promise<boolean> => {
      const types = await synced(mesh, id)
      return types !== undefined && ['CDS', 'EDS', 'LDS', 'RDS'].every((type) => (types[type]?.sent ?? 0) > 0 && types[type]!.acked === types[type]!.sent)
    }
    await until(done, `${id} has taken everything`).catch((error: unknown) => assert.fail(`${String(error)}\n${running[i]!.output()}`))
    for (const [type, { nacked, error }] of Object.entries((await synced(mesh, id))!)) assert.deepEqual([type, nacked, error], [type, 0, ''])
  }
})
