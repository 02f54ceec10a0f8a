// Random AuthorizationPolicies, from their YAML through xDS and the compiled index to a decision, held against an oracle
// that reads the YAML itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { AttachedPolicies } from '../../src/control/snapshot/attached.ts'
import type { AuthorizationPolicy } from '../../src/control/snapshot/authorization.ts'
import { httpAuthorization, networkAuthorization } from '../../src/control/translate/security/authorization.ts'
import { parseDocuments } from '../../src/kinds/parse.ts'
import { RBACSchema as HttpRbacSchema } from '../../src/proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../src/proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { RbacCounters } from '../../src/proxy/rbac/counters.ts'
import { compileEngines } from '../../src/proxy/rbac/engine.ts'
import type { Engines } from '../../src/proxy/rbac/engine.ts'
import { parseIp } from '../../src/proxy/listen/cidr.ts'
import type { RbacFacts } from '../../src/security/rbac/expression.ts'
import { policies, request, trustDomains } from '../support/authorization-cases.ts'
import { ruling } from '../support/authorization-oracle.ts'
import type { AskedRequest, WrittenPolicy } from '../support/authorization-oracle.ts'

const mesh = { trustDomain: trustDomains[0]!, trustDomainAliases: trustDomains.slice(1) }

function parsed(written: readonly WrittenPolicy[]): readonly AuthorizationPolicy[] {
  const documents = written.map(({ name, namespace, action, dryRun, rules }) => JSON.stringify({
    apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy',
    metadata: { name, namespace, ...(dryRun && { annotations: { 'istio.io/dry-run': 'true' } }) }, spec: { action, rules },
  }))
  const { resources, issues } = parseDocuments(documents.join('\n---\n'), 'policies.yaml')
  assert.deepEqual(issues.filter(({ severity }) => severity === 'error'), [])
  return new AttachedPolicies(resources as readonly AuthorizationPolicy[], 'istio-system').of({ namespace: 'a', labels: {} }, 'sidecar')
}

function engines(written: readonly WrittenPolicy[]): { readonly http: readonly Engines[]; readonly bytes: readonly Engines[] } {
  const found = parsed(written)
  const configOf = (filter: { readonly configType?: unknown }): Any => (filter.configType as { readonly value: Any }).value
  const counters = new RbacCounters()
  return {
    http: httpAuthorization(found, mesh).map((one) => compileEngines(anyUnpack(configOf(one), HttpRbacSchema)!, '', counters)),
    bytes: networkAuthorization(found, mesh).map((one) => compileEngines(anyUnpack(configOf(one), NetworkRbacSchema)!, '', counters)),
  }
}

function factsOf({ peer, sourceIp, remoteIp, destinationIp, port, sni, http }: AskedRequest): RbacFacts {
  const headers: Readonly<Record<string, string>> = http === undefined ? {} : { ...http.headers, ':method': http.method, ':authority': http.host, ':path': http.path }
  return {
    identities: peer === undefined ? undefined : [`spiffe://${peer.domain}/ns/${peer.namespace}/sa/${peer.account}`],
    serverName: sni,
    destinationPort: port,
    ip: (fact) => parseIp({ source: sourceIp, remote: remoteIp, destination: destinationIp }[fact]),
    header: (name) => headers[name],
    path: http?.path.split('?')[0],
    metadata: (namespace) => (namespace === 'envoy.filters.http.jwt_authn' && http?.claims !== undefined ? { payload: http.claims } : undefined),
  }
}

function decided(chain: readonly Engines[], facts: RbacFacts) {
  let audited = false
  for (const { enforced } of chain) {
    const verdict = enforced?.decide(facts)
    if (verdict?.marked === true) audited = true
    if (verdict?.allowed === false) return { allowed: false, deniedBy: verdict.policy, audited }
  }
  return { allowed: true, deniedBy: '', audited }
}

function agrees(written: readonly WrittenPolicy[], requests: readonly AskedRequest[]): void {
  const { http, bytes } = engines(written)
  for (const asked of requests) {
    const wanted = ruling(written, asked, trustDomains)
    const found = decided(asked.http === undefined ? bytes : http, factsOf(asked))
    assert.deepEqual(found, { allowed: wanted.allowed, deniedBy: wanted.deniedBy[0] ?? '', audited: wanted.audited }, JSON.stringify({ written, asked }))
  }
}

void test('policies decide what their YAML says, for requests and for bytes', () => {
  fc.assert(fc.property(policies, fc.array(request, { minLength: 10, maxLength: 10 }), agrees), { numRuns: 500 })
})

void test('many policies at once decide as each would', () => {
  const many = fc.array(policies, { minLength: 20, maxLength: 20 }).map((lists) => lists.flat().map((one, index) => ({ ...one, name: `p${index}` })))
  fc.assert(fc.property(many, fc.array(request, { minLength: 20, maxLength: 20 }), agrees), { numRuns: 12 })
})
