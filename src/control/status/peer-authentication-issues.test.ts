import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, resource } from '../../../test/support/bookinfo-world.ts'
import { WorldState } from '../world-state.ts'

const policy = (name: string, spec: object, more: Parameters<typeof resource>[3] = {}) => resource('PeerAuthentication', name, spec, more)
const strict = { mtls: { mode: 'STRICT' } }

test('a policy that holds nowhere is said, with its place and with what stands in its way', () => {
  const state = new WorldState()
  state.update(bookinfo(
    policy('default', strict, { created: 1, line: 10 }),
    policy('second', strict, { created: 2, line: 20 }),
    policy('web', { selector: { matchLabels: { app: 'web' } }, ...strict }, { created: 3 }),
    policy('web-2', { selector: { matchLabels: { app: 'web' } }, ...strict }, { created: 4 }),
    policy('api', { selector: { matchLabels: { app: 'api' } }, ...strict }, { created: 5 }),
    policy('mesh', strict, { namespace: 'istio-system', created: 6 }),
    policy('selecting', { selector: { matchLabels: { app: 'web' } }, ...strict }, { namespace: 'istio-system', created: 7, line: 70 }),
  ))
  assert.deepEqual(state.findings.map(({ resource: key, message, origin, severity }) => [severity, key, message, origin.line]), [
    ['warning', 'PeerAuthentication/default/second', 'is not used: PeerAuthentication default/default (mesh.yaml:10) is older and of the same scope; remove one of them', 21],
    ['warning', 'PeerAuthentication/default/web-2', 'is not used: PeerAuthentication default/web (mesh.yaml:1) is older and of the same scope; remove one of them', 2],
    ['warning', 'PeerAuthentication/istio-system/selecting', 'holds nowhere: a policy of the root namespace istio-system cannot select workloads; put it into their namespace', 72],
  ])
  state.update(bookinfo(policy('default', strict)))
  assert.deepEqual(state.findings, [])
})
