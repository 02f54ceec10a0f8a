// Both ends of xDS over mutual TLS: our control plane with its CA, and the proxy's identity and xDS client.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCa } from '../../src/control/ca/ca.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { adsMethods } from '../../src/control/serve/ads.ts'
import { certificateService } from '../../src/control/serve/ca.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import { worldSource } from '../../src/control/serve/world-source.ts'
import type { World } from '../../src/control/snapshot.ts'
import { WorldState } from '../../src/control/world-state.ts'
import { givenIdentity } from '../../src/proxy/identity/given.ts'
import { openIdentity } from '../../src/proxy/identity/identity.ts'
import type { Identity } from '../../src/proxy/identity/identity.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import type { XdsUpdate } from '../../src/proxy/main-updates.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import { openXdsStream } from '../../src/proxy/xds/client.ts'
import { nodeOf } from '../../src/proxy/xds/node.ts'
import { exportKey, generateKey } from '../../src/security/x509/key.ts'
import { createRequest } from '../../src/security/x509/request.ts'
import { typeNameOf, typeUrls } from '../../src/xds/types.ts'
import { bookinfo, resource } from '../support/bookinfo-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { manualClock } from '../support/manual-clock.ts'
import { Arrivals } from '../support/scripted-xds.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'

const productpage = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bookinfo-productpage' }
const node = nodeOf(proxySettings({ name: 'productpage', ip: '127.1.0.1', serviceAccount: productpage.serviceAccount, labels: { app: 'productpage', version: 'v1' } }))
const subsets = (...versions: readonly string[]) =>
  resource('DestinationRule', 'reviews', { host: 'reviews', subsets: versions.map((version) => ({ name: version, labels: { version } })) })
const reviews = (subset: string): string => `outbound|9080|${subset}|reviews.default.svc.cluster.local`
const assigned = [reviews('v1'), reviews('v2'), 'outbound|9080||details.default.svc.cluster.local']

async function startControlPlane(stateDir: string, world: World, port = 0) {
  const state = new WorldState()
  const lines = new Arrivals<string>()
  const log = (line: string): void => lines.push(line)
  state.update(world)
  const ca = await openCa({ stateDir, trustDomain: 'cluster.local' })
  const tokens = await createBootstrapTokens({ stateDir })
  const certificate = ca.serverCertificate()
  const server = await startGrpcServer({
    methods: [...adsMethods(worldSource(state), { log }), certificateService({ ca, tokens, log })],
    tls: { address: { host: '127.0.0.1', port }, identity: certificate }, log,
  })
  return {
    state, lines, ca, tokens, address: server.tlsAddress!,
    async [Symbol.asyncDispose]() {
      certificate.close()
      await server.close()
    },
  }
}

type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>

async function identityFrom(control: ControlPlane, id = productpage): Promise<Identity & Disposable> {
  const identity = openIdentity({ id, ca: { address: control.address, tls: { roots: control.ca.roots, serverName: '' } }, bearer: () => control.tokens.create(id, 60_000) })
  await identity.whenReady
  return Object.assign(identity, { [Symbol.dispose]: () => identity.close() })
}

/** What a proxy would have: resources by type, and each update as `CDS +a -b`. */
function openProxy(control: ControlPlane, identity: Secrets, protocol: 'delta' | 'sotw', verdict: (update: XdsUpdate) => string | undefined = () => undefined) {
  const updates = new Arrivals<string>()
  const lines = new Arrivals<string>()
  const have = new Map<string, Set<string>>()
  const stream = openXdsStream({ address: control.address, tls: { serverName: '' }, identity, protocol, log: (line) => lines.push(line) }, node, (update) => {
    const type = typeNameOf(update.typeUrl)!
    const names = have.get(type) ?? new Set()
    have.set(type, names)
    const added = update.resources.filter(({ name }) => !names.has(name)).map(({ name }) => name)
    for (const name of added) names.add(name)
    for (const name of update.removed) names.delete(name)
    updates.push([type, ...added.map((name) => `+${name}`), ...update.removed.map((name) => `-${name}`)].join(' '))
    return verdict(update)
  })
  stream.subscribe(typeUrls.EDS, assigned)
  stream.subscribe(typeUrls.RDS, ['9080'])
  return { stream, updates, lines, have, [Symbol.dispose]: () => stream.close() }
}

for (const protocol of ['delta', 'sotw'] as const) {
  test(`${protocol}: a proxy with a certificate of the CA gets its mesh, follows an edit, and finds a restarted control plane`, async () => {
    await using folder = await TempFolder.create()
    const world = bookinfo(subsets('v1', 'v2'))
    const first = await startControlPlane(folder.path, world)
    using identity = await identityFrom(first)
    using proxy = openProxy(first, identity, protocol)
    await until(() => ['CDS', 'EDS', 'LDS', 'RDS'].every((type) => (proxy.have.get(type)?.size ?? 0) > 0))
    assert.ok(proxy.have.get('CDS')!.has(reviews('v2')))
    assert.deepEqual([...proxy.have.get('EDS')!].sort(), [...assigned].sort())
    const { generation } = first.state.update(bookinfo(subsets('v1', 'v2', 'v3')))
    assert.equal((await first.state.board.waitFor(generation, 5000)).complete, true)
    await until(() => proxy.have.get('CDS')!.has(reviews('v3')))

    await first[Symbol.asyncDispose]()
    assert.match(await proxy.lines.next(), /is away, what was accepted goes on serving/)
    const seen = proxy.updates.count
    await using second = await startControlPlane(folder.path, bookinfo(subsets('v1', 'v3')), first.address.port)
    assert.equal(second.ca.roots, first.ca.roots)
    await until(() => !proxy.have.get('CDS')!.has(reviews('v2')))
    assert.ok(proxy.have.get('CDS')!.has(reviews('v3')))
    await until(() => [...second.state.board.proxies.values()].length === 1)
    if (protocol === 'delta') assert.ok(proxy.updates.count - seen <= 4, 'only what changed was sent')
  })
}

test('what a proxy rejects is known at the control plane, with the reason', async () => {
  await using folder = await TempFolder.create()
  await using control = await startControlPlane(folder.path, bookinfo())
  using identity = await identityFrom(control)
  using proxy = openProxy(control, identity, 'delta', ({ typeUrl }) => (typeUrl === typeUrls.LDS ? 'listener x: no such thing' : undefined))
  await until(() => control.state.board.total('LDS', 'nacked') > 0)
  assert.ok(proxy.updates.count > 0)
})

test('a proxy that says it is another one than its certificate gets nothing', async () => {
  await using folder = await TempFolder.create()
  await using control = await startControlPlane(folder.path, bookinfo())
  using identity = await identityFrom(control, { ...productpage, serviceAccount: 'bookinfo-details' })
  using proxy = openProxy(control, identity, 'delta')
  assert.match(await proxy.lines.next(), /PERMISSION_DENIED: .*service account bookinfo-productpage .*bookinfo-details/)
  assert.equal(proxy.updates.count, 0)
})

test('a proxy without a certificate, with one of a stranger, or with an expired one gets nothing', async () => {
  await using folder = await TempFolder.create()
  const lastWeek = await openCa({ stateDir: folder.path, trustDomain: 'cluster.local', clock: manualClock(Date.now() - 7 * 86_400_000) })
  await using control = await startControlPlane(folder.path, bookinfo())
  const stranger = createAuthority('stranger')
  const key = generateKey()
  const uri = 'URI:spiffe://cluster.local/ns/default/sa/bookinfo-productpage'
  const trust = (name: string) => (name === 'ROOTCA' ? { roots: control.ca.roots, crl: '' } : undefined)
  const cases: readonly { readonly identity: Secrets; readonly says: RegExp }[] = [
    { identity: { certificate: () => undefined, trust, onChange: () => () => undefined }, says: /PERMISSION_DENIED: xDS over TLS needs a client certificate/ },
    { identity: givenIdentity({ ...stranger.issue(uri), roots: control.ca.roots }), says: /has not answered yet, and nothing serves before it does/ },
    { identity: givenIdentity({ chain: lastWeek.sign(createRequest(key, 'spiffe://x'), productpage, 0).chain.join(''), key: exportKey(key), roots: control.ca.roots }), says: /has not answered yet, and nothing serves before it does/ },
  ]
  for (const { identity, says } of cases) {
    using proxy = openProxy(control, identity, 'delta')
    assert.match(await proxy.lines.next(), says)
    assert.equal(proxy.updates.count, 0)
  }
  assert.equal([...control.state.board.proxies.values()].length, 0)
})
