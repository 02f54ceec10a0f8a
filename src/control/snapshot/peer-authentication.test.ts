// Which PeerAuthentication holds for a port of a workload: scopes, age, inheritance (security spec 2.1).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resource } from '../../../test/support/bookinfo-world.ts'
import { PeerAuthenticationIndex } from './peer-authentication.ts'
import type { PeerAuthentication, PeerMode } from './peer-authentication.ts'
import type { PeerAuthenticationSpec } from '../specs.ts'

type Mode = PeerMode | 'UNSET'

interface Policy {
  readonly in?: string
  readonly app?: string
  readonly mode?: Mode
  readonly ports?: Readonly<Record<number, Mode>>
  /** Selects by no label at all. */
  readonly emptySelector?: boolean
}

function policies(written: readonly Policy[]): PeerAuthentication[] {
  return written.map(({ in: namespace = 'default', app, mode, ports, emptySelector }, i) => {
    const spec: PeerAuthenticationSpec = {
      ...(app !== undefined && { selector: { matchLabels: { app } } }),
      ...(emptySelector === true && { selector: { matchLabels: {} } }),
      ...(mode !== undefined && { mtls: { mode } }),
      portLevelMtls: Object.fromEntries(Object.entries(ports ?? {}).map(([port, one]) => [port, { mode: one }])),
    }
    return resource('PeerAuthentication', `policy-${i}`, spec, { namespace, created: i }) as PeerAuthentication
  })
}

const root = 'istio-system'
const web = { namespace: 'default', labels: { app: 'web', version: 'v1' } }

/** For port 8080 of app=web in default, unless the case says another. Policies from the oldest to the newest. */
const cases: readonly { readonly title: string; readonly policies: readonly Policy[]; readonly port?: number; readonly mode: PeerMode; readonly by?: number }[] = [
  { title: 'no policy at all: both', policies: [], mode: 'PERMISSIVE' },
  { title: 'mesh-wide', policies: [{ in: root, mode: 'STRICT' }], mode: 'STRICT', by: 0 },
  { title: 'the namespace before the mesh', policies: [{ in: root, mode: 'STRICT' }, { mode: 'DISABLE' }], mode: 'DISABLE', by: 1 },
  { title: 'the workload before the namespace', policies: [{ mode: 'DISABLE' }, { app: 'web', mode: 'STRICT' }], mode: 'STRICT', by: 1 },
  { title: 'a policy for another workload', policies: [{ mode: 'STRICT' }, { app: 'api', mode: 'DISABLE' }], mode: 'STRICT', by: 0 },
  { title: 'a policy of another namespace', policies: [{ in: 'other', mode: 'STRICT' }], mode: 'PERMISSIVE' },
  { title: 'of two of a namespace the older one, though the newer is stricter', policies: [{ mode: 'DISABLE' }, { mode: 'STRICT' }], mode: 'DISABLE', by: 0 },
  { title: 'of two for the workload the older one', policies: [{ app: 'web', mode: 'DISABLE' }, { app: 'web', mode: 'STRICT' }], mode: 'DISABLE', by: 0 },
  { title: 'of two of the mesh the older one', policies: [{ in: root, mode: 'STRICT' }, { in: root, mode: 'DISABLE' }], mode: 'STRICT', by: 0 },
  { title: 'of the root namespace with a selector: nowhere', policies: [{ in: root, app: 'web', mode: 'STRICT' }], mode: 'PERMISSIVE' },
  { title: 'of the root namespace with a selector, it hides no mesh-wide one', policies: [{ in: root, app: 'web', mode: 'DISABLE' }, { in: root, mode: 'STRICT' }], mode: 'STRICT', by: 1 },
  { title: 'an empty selector is none', policies: [{ emptySelector: true, mode: 'STRICT' }], mode: 'STRICT', by: 0 },
  { title: 'UNSET of the workload inherits the namespace', policies: [{ mode: 'STRICT' }, { app: 'web', mode: 'UNSET' }], mode: 'STRICT', by: 0 },
  { title: 'UNSET of the namespace inherits the mesh', policies: [{ in: root, mode: 'STRICT' }, { mode: 'UNSET' }], mode: 'STRICT', by: 0 },
  { title: 'no mtls at all inherits too', policies: [{ in: root, mode: 'STRICT' }, {}, { app: 'web' }], mode: 'STRICT', by: 0 },
  { title: 'UNSET everywhere: both', policies: [{ in: root, mode: 'UNSET' }, { mode: 'UNSET' }, { app: 'web', mode: 'UNSET' }], mode: 'PERMISSIVE' },
  { title: 'an older UNSET of a namespace still hides a newer STRICT of it', policies: [{ mode: 'UNSET' }, { mode: 'STRICT' }], mode: 'PERMISSIVE' },
  { title: 'the port before the workload', policies: [{ app: 'web', mode: 'STRICT', ports: { 8080: 'DISABLE' } }], mode: 'DISABLE', by: 0 },
  { title: 'another port of that workload', policies: [{ app: 'web', mode: 'STRICT', ports: { 8080: 'DISABLE' } }], port: 9090, mode: 'STRICT', by: 0 },
  { title: 'a port of a workload without a mode of its own', policies: [{ in: root, mode: 'STRICT' }, { app: 'web', ports: { 8080: 'PERMISSIVE' } }], mode: 'PERMISSIVE', by: 1 },
  { title: 'its other ports inherit', policies: [{ in: root, mode: 'STRICT' }, { app: 'web', ports: { 8080: 'PERMISSIVE' } }], port: 9090, mode: 'STRICT', by: 0 },
  { title: 'UNSET of a port inherits the workload', policies: [{ app: 'web', mode: 'STRICT', ports: { 8080: 'UNSET' } }], mode: 'STRICT', by: 0 },
  { title: 'UNSET of port and workload inherits the mesh', policies: [{ in: root, mode: 'STRICT' }, { app: 'web', mode: 'UNSET', ports: { 8080: 'UNSET' } }], mode: 'STRICT', by: 0 },
  { title: 'the ports of a newer policy for the workload do not count', policies: [{ app: 'web', mode: 'STRICT' }, { app: 'web', ports: { 8080: 'DISABLE' } }], mode: 'STRICT', by: 0 },
]

for (const { title, policies: written, port = 8080, mode, by } of cases) {
  test(`PeerAuthentication: ${title}`, () => {
    const all = policies(written)
    const index = new PeerAuthenticationIndex(all, root)
    assert.equal(index.modeOf(web, port), mode)
    assert.equal(index.decidedBy(web, port), by === undefined ? undefined : all[by])
  })
}

test('a port that only a policy names obeys it, service or not', () => {
  const index = new PeerAuthenticationIndex(policies([{ app: 'web', ports: { 7: 'STRICT', 9: 'UNSET' } }]), root)
  assert.deepEqual(index.namedPorts(web), [7, 9])
  assert.deepEqual(index.namedPorts({ namespace: 'default', labels: {} }), [])
  assert.equal(index.modeOf(web), 'PERMISSIVE')
})

test('whether anything turns mutual TLS off is known without looking at workloads', () => {
  assert.equal(new PeerAuthenticationIndex(policies([{ mode: 'STRICT' }]), root).disables, false)
  assert.equal(new PeerAuthenticationIndex(policies([{ app: 'web', ports: { 7: 'DISABLE' } }]), root).disables, true)
})
