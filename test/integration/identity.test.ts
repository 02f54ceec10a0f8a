// The proxy's identity and the CA, both ends over real sockets.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { openCa } from '../../src/control/ca/ca.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { certificateService } from '../../src/control/serve/ca.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import type { Method } from '../../src/control/serve/rpc.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { connect } from '../../src/net/connect.ts'
import { listen } from '../../src/net/listen.ts'
import { createClientTls, createServerTls } from '../../src/net/tls.ts'
import type { Transport } from '../../src/net/transport.ts'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../src/proto/gen/istio/v1/auth/ca_pb.ts'
import { openIdentity } from '../../src/proxy/identity/identity.ts'
import type { Identity, IdentityOptions } from '../../src/proxy/identity/identity.ts'
import { exportKey, generateKey } from '../../src/security/x509/key.ts'
import { createRequest } from '../../src/security/x509/request.ts'
import { Recorder } from '../support/connection-pair.ts'
import { manualClock } from '../support/manual-clock.ts'
import type { ManualClock } from '../support/manual-clock.ts'
import { Arrivals } from '../support/scripted-xds.ts'
import { TempFolder } from '../support/temp-folder.ts'

const trustDomain = 'cluster.local'
const reviews = { trustDomain, namespace: 'default', serviceAccount: 'reviews' }
const hour = 3_600_000

interface CaWorldOptions {
  readonly clock?: Clock
  readonly wrap?: (service: Method) => Method
  readonly port?: number
  readonly stateDir?: string
}

async function startCa({ clock = systemClock, wrap = (service) => service, port = 0, stateDir }: CaWorldOptions = {}) {
  const folder = await TempFolder.create()
  const lines = new Arrivals<string>()
  const ca = await openCa({ stateDir: stateDir ?? folder.path, trustDomain, clock })
  const tokens = await createBootstrapTokens({ stateDir: stateDir ?? folder.path, clock })
  const certificate = ca.serverCertificate()
  const service = wrap(certificateService({ ca, tokens, log: (line) => lines.push(line) }))
  const server = await startGrpcServer({
    methods: [service], tls: { address: { host: '127.0.0.1', port }, identity: certificate }, plaintextPort: 0,
    limits: { pingIntervalMs: 1e9 },
  })
  return {
    ca, tokens, lines, stateDir: stateDir ?? folder.path,
    tls: server.tlsAddress!, plain: server.plaintextAddress!,
    close: () => server.close(),
    async [Symbol.asyncDispose]() {
      certificate.close()
      await server.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** OpenSSL has a clock of its own: what is made in the half day that a test passes through must be valid today. */
const clockOfYesterday = (): ManualClock => manualClock(Date.now() - 14 * hour)

/** In small steps, with real time for what goes over sockets. */
async function advanceUntil(clock: ManualClock, done: () => boolean): Promise<void> {
  for (let step = 0; !done(); step++) {
    assert.ok(step < 2000, 'it did not happen within two hours')
    await clock.advance(5000)
  }
}

type CaWorld = Awaited<ReturnType<typeof startCa>>

function open(world: CaWorld, over: Partial<IdentityOptions> = {}) {
  const lines = new Arrivals<string>()
  const changes = new Arrivals<string>()
  const identity = openIdentity({
    id: reviews, ca: { address: world.tls, tls: { roots: world.ca.roots, serverName: '' } },
    bearer: () => world.tokens.create(reviews, hour), log: (line) => lines.push(line), ...over,
  })
  identity.onChange((name) => changes.push(name))
  return { identity, lines, changes, [Symbol.dispose]: () => identity.close() }
}

const serialOf = (identity: Identity): string => new X509Certificate(identity.certificate('default')!.chain).serialNumber

test('the first certificate is bought with a token, the next one with the certificate itself', async () => {
  const clock = clockOfYesterday()
  await using world = await startCa({ clock })
  let tokens = 0
  const bearer = (): string => (tokens++ === 0 ? world.tokens.create(reviews, 60_000) : '')
  using opened = open(world, { clock, bearer })
  const { identity, changes } = opened
  assert.equal(identity.certificate('default'), undefined)
  await identity.whenReady
  assert.match(await world.lines.next(), /issued to spiffe:\/\/cluster.local\/ns\/default\/sa\/reviews .* by its token/)
  assert.deepEqual([await changes.next(), await changes.next()], ['ROOTCA', 'default'])
  const first = { serial: serialOf(identity), key: identity.certificate('default')!.key }
  assert.equal(identity.trust('ROOTCA')!.roots, world.ca.roots)
  assert.equal(identity.certificate('other'), undefined)
  await clock.advance(10.7 * hour)
  assert.equal(changes.unread, 0, 'nothing is renewed before 45 % of its life')
  await advanceUntil(clock, () => changes.unread > 0)
  assert.ok(clock.now() < identity.notAfter - 11 * hour)
  assert.match(await world.lines.next(), /by its client certificate/)
  assert.equal(await changes.next(), 'default')
  assert.notEqual(serialOf(identity), first.serial)
  assert.notEqual(identity.certificate('default')!.key, first.key)
  assert.equal(changes.unread, 0, 'the roots are the same')
})

test('over plaintext on loopback every certificate costs a token', async () => {
  await using world = await startCa()
  using opened = open(world, { ca: { address: world.plain, tls: undefined } })
  await opened.identity.whenReady
  using without = open(world, { ca: { address: world.plain, tls: undefined }, bearer: () => '' })
  assert.match(await without.lines.next(), /UNAUTHENTICATED: show a client certificate.*nothing serves before there is one; the CA is 127\.0\.0\.1:\d+: is the token one that it made for this workload .*; it is tried again and again, every 30 s at least$/)
  without.identity.close()
  await assert.rejects(without.identity.whenReady, { code: 'identity/closed' })
})

test('a CA that takes connections and says nothing is told about within seconds, with its address and what to look at', async () => {
  const clock = manualClock()
  const silent = await listen({ address: { host: '127.0.0.1', port: 0 }, onConnection: () => {} })
  await using world = await startCa()
  using opened = open(world, { clock, ca: { address: silent.address, tls: undefined } })
  await clock.advance(5_000)
  assert.match(await opened.lines.next(), new RegExp(`^no certificate for spiffe:\\S+: it has not answered for 3 s; nothing serves before there is one; the CA is 127.0.0.1:${silent.address.port}: is a control plane there .*`))
  await silent.close()
})

test('a CA that no root vouches for gets no token', async () => {
  await using world = await startCa()
  await using other = await startCa()
  let handed = 0
  using opened = open(world, { ca: { address: world.tls, tls: { roots: other.ca.roots, serverName: '' } }, bearer: () => `${handed++}` })
  assert.match(await opened.lines.next(), /no certificate for spiffe:.*: the connection failed: self-signed certificate in certificate chain; nothing serves/)
  assert.equal(world.lines.count, 0, 'the CA was never asked')
})

test('while the CA is away, which is said once, the certificate goes on serving, and is renewed when the CA is back', async () => {
  const clock = clockOfYesterday()
  await using folder = await TempFolder.create()
  await using world = await startCa({ clock, stateDir: folder.path })
  using opened = open(world, { clock })
  const { identity, lines } = opened
  await identity.whenReady
  const serial = serialOf(identity)
  await world.close()
  await clock.advance(10.7 * hour)
  await advanceUntil(clock, () => lines.count > 0)
  for (let minute = 0; minute < 5; minute++) await clock.advance(60_000)
  assert.match(await lines.next(), /the connection failed: connect ECONNREFUSED .*; the one in use is good until \S+Z; it is tried again and again, every 30 s at least$/)
  assert.equal(lines.unread, 0)
  assert.equal(serialOf(identity), serial)
  await using back = await startCa({ clock, stateDir: folder.path, port: world.tls.port })
  await advanceUntil(clock, () => serialOf(identity) !== serial)
  assert.match(await back.lines.next(), /by its client certificate/)
  assert.match(await lines.next(), /^a certificate for spiffe:.* is there, good until 20/)
  assert.ok(identity.notAfter > clock.now() + 20 * hour)
})

test('a proxy that slept longer than its certificate lived comes back with a token', async () => {
  const clock = clockOfYesterday()
  let asleep = 0
  // Time passes, and no timer runs.
  const sleepy: Clock = { now: () => clock.now() + asleep, after: clock.after }
  await using world = await startCa({ clock: sleepy })
  using opened = open(world, { clock: sleepy, lifetimeMs: hour })
  await nextCertificate(opened)
  await world.lines.next()
  asleep = 3 * hour
  await advanceUntil(clock, () => world.lines.count === 2)
  assert.match(await world.lines.next(), /by its token/)
  await nextCertificate(opened)
  assert.ok(opened.identity.notAfter > sleepy.now())
})

const otherKey = createRequest(generateKey(), 'spiffe://x')

/** A CA that answers with something else. */
function answering(change: (chain: string[], world: () => CaWorld) => string[], world: () => CaWorld): (service: Method) => Method {
  return (service) => ({
    kind: 'unary', path: service.path,
    async handle(request, caller) {
      if (service.kind !== 'unary') throw new Error('not unary')
      const { certChain } = fromBinary(IstioCertificateResponseSchema, await service.handle(request, caller))
      return toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain: change(certChain, world) }))
    },
  })
}

const wrongAnswers: readonly { title: string; change: (chain: string[], world: () => CaWorld) => string[]; says: RegExp }[] = [
  { title: 'for another identity', change: ([, roots]) => [...signFor('ratings'), roots!], says: /it is for URI:spiffe:\/\/cluster.local\/ns\/default\/sa\/ratings, not for/ },
  { title: 'for another key', change: ([, roots]) => [...signFor('reviews'), roots!], says: /it is for another key/ },
  { title: 'without a root', change: ([leaf]) => [leaf!], says: /it has 1 certificates/ },
  { title: 'that is empty', change: () => [], says: /it has 0 certificates/ },
  { title: 'that is no certificate', change: ([, roots]) => ['hello', roots!], says: /not a PEM block/ },
]
let signFor: (name: string) => readonly string[] = () => []
for (const { title, change, says } of wrongAnswers) {
  test(`an answer of the CA ${title} is refused`, async () => {
    const holder: { world?: CaWorld } = {}
    await using world = await startCa({ wrap: answering(change, () => holder.world!) })
    signFor = (name) => world.ca.sign(otherKey, { ...reviews, serviceAccount: name }, 0).chain
    using opened = open(world)
    assert.match(await opened.lines.next(), says)
    assert.equal(opened.identity.certificate('default'), undefined)
  })
}

test('the key never leaves: only a request that is signed by it is sent', async () => {
  const requests: string[] = []
  const wrap = (service: Method): Method => ({
    kind: 'unary', path: service.path,
    handle(request, caller) {
      requests.push(Buffer.from(request).toString('latin1'), fromBinary(IstioCertificateRequestSchema, request).csr)
      return service.kind === 'unary' ? service.handle(request, caller) : Promise.reject(new Error('not unary'))
    },
  })
  await using world = await startCa({ wrap })
  using opened = open(world)
  await opened.identity.whenReady
  const secret = opened.identity.certificate('default')!.key
  assert.match(secret, /BEGIN PRIVATE KEY/)
  for (const request of requests) assert.ok(!request.includes('PRIVATE KEY') && !request.includes(secret.split('\n')[1]!))
  assert.notEqual(exportKey(generateKey()), secret)
})

test('certificates of four seconds are renewed at both ends, new connections show the new ones, and an open connection never notices', async () => {
  await using world = await startCa()
  const ratings = { ...reviews, serviceAccount: 'ratings' }
  using client = open(world, { lifetimeMs: 4000 })
  using server = open(world, { lifetimeMs: 4000, id: ratings, bearer: () => world.tokens.create(ratings, hour) })
  await Promise.all([nextCertificate(client), nextCertificate(server)])
  await using mesh = await startEcho(server.identity)
  const kept = await dial(mesh.port, client.identity)
  const first = serialOf(server.identity)
  await kept.echo('before')
  for (let renewal = 0; renewal < 2; renewal++) {
    await Promise.all([nextCertificate(client), nextCertificate(server)])
    await kept.echo(`after renewal ${renewal}`)
    const fresh = await dial(mesh.port, client.identity)
    await fresh.echo('new')
    assert.deepEqual(fresh.peerUris, ['spiffe://cluster.local/ns/default/sa/ratings'])
    fresh.close()
  }
  assert.notEqual(serialOf(server.identity), first)
  assert.deepEqual([kept.closes, mesh.contexts >= 3, client.lines.count], [0, true, 0])
  kept.close()
})

async function nextCertificate({ changes }: { readonly changes: Arrivals<string> }): Promise<void> {
  while ((await changes.next('a renewal')) !== 'default');
}

const echo = (transport: Transport, bytes: Buffer): boolean => transport.write(bytes, 0, bytes.length)

/** Echoes over mutual TLS, with contexts that follow the identity. */
async function startEcho(identity: Identity) {
  const context = () => createServerTls({ certificate: identity.certificate('default')!, trust: identity.trust('ROOTCA')!, clientCertificate: 'require' })
  let tls = context()
  let contexts = 1
  const end = identity.onChange((name) => {
    if (name === 'default') [tls, contexts] = [context(), contexts + 1]
  })
  const serve = (transport: Transport): void => {
    const recorder = new Recorder(transport)
    recorder.react = (event) => {
      if (event === 'data') echo(transport, recorder.pieces.pop()!)
    }
    transport.resume()
  }
  const listening = await listen({ address: { host: '127.0.0.1', port: 0 }, onConnection: (inbound) => void inbound.tls(tls).then(serve, () => undefined) })
  return {
    port: listening.address.port,
    get contexts() {
      return contexts
    },
    async [Symbol.asyncDispose]() {
      end()
      listening.destroyConnections()
      await listening.close()
    },
  }
}

async function dial(port: number, identity: Identity) {
  const tls = createClientTls({ certificate: identity.certificate('default')!, trust: identity.trust('ROOTCA')! })
  const transport = await new Promise<Transport>((resolve, reject) => {
    connect({ address: { host: '127.0.0.1', port }, timeoutMs: 5000, tls }, (error, made) => (made === undefined ? reject(error!) : resolve(made)))
  })
  const recorder = new Recorder(transport)
  transport.resume()
  return {
    peerUris: transport.tls?.peerUris,
    get closes() {
      return recorder.closes
    },
    async echo(text: string) {
      const until = recorder.received + text.length
      echo(transport, Buffer.from(text))
      await recorder.until(() => recorder.received >= until)
      assert.equal(recorder.bytes.subarray(-text.length).toString(), text)
    },
    close: () => transport.destroy(),
  }
}
