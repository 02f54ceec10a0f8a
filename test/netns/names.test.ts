// Names in networks of their own: members of headless services, entries of bytes that only their allocated addresses tell apart,
// wildcards; each leads to whom it names, with mutual TLS.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { echo, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { inside } from '../support/netns-mesh.ts'
import { Wire } from '../support/wire.ts'

leavesNothing()

const client = `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: client, labels: { app: client } }
spec: { serviceAccount: caller, command: [sleep, '3600'] }
---`

const headless = (name: string, port: string, app = 'db', number = 9080): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { clusterIP: None, selector: { app: ${app} }, ports: [{ name: ${port}, port: ${number}, targetPort: 9080 }] }
---`

const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`

const entry = (name: string, hosts: string, more: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec: { hosts: ${hosts}, location: MESH_INTERNAL, resolution: STATIC, workloadSelector: { labels: { member: ${name} } }, ${more} }
---`

const member = (name: string, own: string, app = 'db'): string => echo(name, { labels: { app, member: own }, spec: `serviceAccount: ${app}` })
const bytes = 'ports: [{ number: 7000, name: tcp, protocol: TCP, targetPort: 9080 }]'

describe('names in networks of their own', { skip: netnsSkip }, () => {
  let mesh: LocalMesh

  before(async () => {
    mesh = await startLocalMesh({
      'all.yaml': [
        client, member('db-0', 'first'), member('db-1', 'second'), headless('db', 'http'), headless('raw', 'tcp'),
        member('web-0', 'third', 'web'), headless('web', 'http', 'web', 80),
        entry('first', '[first.example.com]', bytes), entry('second', "[second.example.com]", bytes),
        entry('wild', "['*.wild.example.com']", 'addresses: [240.0.9.9], ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 9080 }]').replace('member: wild', 'member: first'),
      ].join('\n'),
    }, { capture: 'netns', watch: true })
  })

  after(() => mesh[Symbol.asyncDispose]())

  const addresses = async (name: string): Promise<readonly string[]> =>
    [...new Set((await inside(mesh, 'client', ['getent', 'ahosts', name])).out.split('\n').map((line) => line.split(/\s+/)[0]!))].sort()

  /** Who answers, and whom it takes the caller for. */
  async function asked(url: string, from = 'client'): Promise<string> {
    const { out, err } = await inside(mesh, from, ['curl', '-sS', '-m', '15', url])
    if (!out.startsWith('{')) return err || out
    const { name, headers } = JSON.parse(out) as { readonly name: string; readonly headers: Readonly<Record<string, string>> }
    return `${name} for ${/URI=spiffe:[^;,]+\/sa\/([^;,]+)/.exec(headers['x-forwarded-client-cert'] ?? '')?.[1] ?? 'nobody'}`
  }

  test('a headless service is all of its members, each of which has a name', async () => {
    const all = await addresses('db')
    assert.equal(all.filter((one) => !one.includes(':')).length, 2)
    assert.deepEqual(await addresses('raw.default.svc.cluster.local'), all)
    assert.deepEqual([...await addresses('db-0.db'), ...await addresses('db-1.db.default.svc.cluster.local')].sort(), all)
    assert.deepEqual(await addresses('db-1.raw'), await addresses('db-1.db'))
    assert.deepEqual(await addresses('db-2.db'), [''])
  })

  test('a member is reached by its name, as HTTP and as bytes, with mutual TLS', async () => {
    for (const name of ['db-0', 'db-1']) {
      for (const host of [`${name}.db`, `${name}.db.default`, `${name}.db.default.svc.cluster.local`, `${name}.raw`]) assert.equal(await asked(`http://${host}:9080/`), `${name} for caller`, host)
    }
    assert.match(await asked('http://db:9080/'), /^db-[01] for caller$/)
  })

  test('a member that calls itself by its name is answered', async () => {
    assert.match(await asked('http://db-0.db:9080/', 'db-0'), /^db-0 for /)
    assert.equal(await asked('http://db-1.db:9080/', 'db-0'), 'db-1 for db')
  })

  test('under STRICT members are reached by name and by address, at the port that they have, and the wire has nothing but TLS', async () => {
    await using wire = await Wire.open(mesh.pidOf('client'))
    await mesh.edit(() => mesh.folder.write('mesh/strict.yaml', strict))
    const reached: string[] = []
    for (const [name, host] of [['db-0', 'db-0.db'], ['db-1', 'db-1.raw'], ['web-0', 'web-0.web']] as const) {
      for (const at of [host, ...await addresses(host)]) {
        assert.equal(await asked(`http://${at.includes(':') ? `[${at}]` : at}:9080/strict`), `${name} for caller`, at)
        if (at !== host) reached.push(at.includes(':') ? `[${at}]:9080` : `${at}:9080`)
      }
    }
    await mesh.until('the wire has shown all', () => reached.every((place) => wire.to(place).length > 0))
    assert.deepEqual([...new Set(reached.flatMap((place) => wire.to(place)))], ['TLS'])
    await mesh.edit(() => mesh.folder.remove('mesh/strict.yaml'))
  })

  test('entries of bytes on one port are told apart by the addresses that they were given', async () => {
    assert.equal(await asked('http://first.example.com:7000/'), 'db-0 for caller')
    assert.equal(await asked('http://second.example.com:7000/'), 'db-1 for caller')
  })

  test('any name below a wildcard leads there', async () => {
    assert.deepEqual(await addresses('a.b.wild.example.com'), ['240.0.9.9'])
    assert.equal(await asked('http://a.b.wild.example.com/'), 'db-0 for caller')
  })
})
