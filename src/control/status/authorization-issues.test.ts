// Warnings of CUSTOM policies whose provider cannot be asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from '../../kinds/parse.ts'
import { service, workload } from '../../../test/support/bookinfo-world.ts'
import { meshSettings } from '../mesh-settings.ts'
import { createSnapshot } from '../snapshot.ts'
import type { ExtensionProvider } from '../specs.ts'
import { authorizationIssues } from './authorization-issues.ts'

const http = (host: string, port = 9080): NonNullable<ExtensionProvider['envoyExtAuthzHttp']> => ({
  service: host, port, timeout: 1000, failOpen: false, clearRouteCache: false, pathPrefix: '', includeHeadersInCheck: [], includeRequestHeadersInCheck: [],
  includeAdditionalHeadersInCheck: {}, headersToUpstreamOnAllow: [], headersToDownstreamOnDeny: [], headersToDownstreamOnAllow: [],
})

const extensionProviders: readonly ExtensionProvider[] = [
  { name: 'good', envoyExtAuthzHttp: http('decider.default.svc.cluster.local') },
  { name: 'away', envoyExtAuthzHttp: http('nobody.default.svc.cluster.local') },
  { name: 'wrong-port', envoyExtAuthzHttp: http('decider.default.svc.cluster.local', 1) },
  { name: 'grpc' },
]

function issuesOf(...providers: readonly string[]): readonly string[] {
  const documents = providers.map((name, i) => JSON.stringify({
    apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name: `p${i}` }, spec: { action: 'CUSTOM', provider: { name }, rules: [{}] },
  }))
  const { resources } = parseDocuments(documents.join('\n---\n'), 'p.yaml')
  const snapshot = createSnapshot({ resources, services: [service('decider')], workloads: [workload('web', '10.0.0.1', {})], endpoints: [], mesh: meshSettings({ extensionProviders }) })
  return authorizationIssues(snapshot).map(({ resource, message }) => `${resource}: ${message}`)
}

const first = (problem: string): readonly string[] => [`AuthorizationPolicy/default/p0: ${problem}: what the policy is for is denied`]

void test('a provider that is there and whose service is known can be asked', () => {
  assert.deepEqual(issuesOf('good'), [])
})

void test('who cannot be asked is said, with what follows', () => {
  assert.deepEqual(issuesOf('none'), first('MeshConfig has no extension provider "none"'))
  assert.deepEqual(issuesOf('away'), first('no service nobody.default.svc.cluster.local with port 9080 is known, which extension provider "away" is'))
  assert.deepEqual(issuesOf('wrong-port'), first('no service decider.default.svc.cluster.local with port 1 is known, which extension provider "wrong-port" is'))
  assert.deepEqual(issuesOf('grpc'), first('extension provider "grpc" is neither envoyExtAuthzHttp nor envoyExtAuthzGrpc: it decides nothing'))
})

void test('a workload asks one provider', () => {
  const said = issuesOf('good', 'good', 'away').filter((one) => one.includes('several'))
  assert.equal(said.length, 3)
  assert.ok(said.every((one) => one.endsWith('default/web has policies for several providers (good, away), of which none is asked: what the policy is for is denied')), said.join('\n'))
})
