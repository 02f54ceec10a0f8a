// TCP and TLS routes of a whole proxy below a real control plane, over real sockets: connections are handed to it with the
// destination that a redirect would report, and each server says who it is before it is spoken to.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { text } from 'node:stream/consumers'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { worldSource } from '../../src/control/serve/world-source.ts'
import type { World } from '../../src/control/snapshot.ts'
import { meshSettings } from '../../src/control/mesh-settings.ts'
import { WorldState } from '../../src/control/world-state.ts'
import type { Address } from '../../src/model/address.ts'
import { formatAddress } from '../../src/model/address.ts'
import type { Service } from '../../src/model/service.ts'
import type { Resource } from '../../src/model/resource.ts'
import { listen } from '../../src/net/listen.ts'
import { startProxy } from '../../src/proxy/main.ts'
import type { Capture } from '../../src/proxy/main.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import { serveAds } from '../support/ads-world.ts'
import { bookinfo, endpoint, resource, service, workload } from '../support/bookinfo-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { freePort } from '../support/hosts.ts'
import { TempFolder } from '../support/temp-folder.ts'

const authority = createAuthority()
const identity = authority.issue('URI:spiffe://cluster.local/ns/default/sa/bookinfo-productpage')
const patienceMs = 10_000
const open: { close(): unknown }[] = []
after(() => open.forEach((one) => one.close()))

/** Says its name, and ends. */
async function sayer(name: string): Promise<Address> {
  const server = createServer((socket) => void socket.on('error', () => {}).end(name))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(server)
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

async function tlsSayer(name: string): Promise<Address> {
  const { chain, key } = authority.issue('DNS:any.test')
  const server = createTlsServer({ cert: chain, key }, (socket) => void socket.on('error', () => {}).end(`${name} ${String(socket.servername)}`))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(server)
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

const servers = {
  a: await sayer('a'), b: await sayer('b'), original: await sayer('original'), pod1: await sayer('pod1'), pod2: await sayer('pod2'),
  tlsA: await tlsSayer('tlsA'), tlsOriginal: await tlsSayer('tlsOriginal'),
}

const tcp = (number: number, protocol: Service['ports'][number]['protocol'] = 'TCP') => [{ name: 'p', number, protocol, targetPort: number }]

interface At {
  readonly service: Service
  readonly endpoints: readonly (Partial<ReturnType<typeof endpoint>> & { readonly at: Address })[]
}

function worldOf(all: readonly At[], resources: readonly Resource[], registryOnly = false): World {
  const base = bookinfo(...resources)
  const endpoints = all.flatMap((one) => one.endpoints.map(({ at, ...more }, index) =>
    endpoint(one.service, workload(`${one.service.name}-${index}`, at.host, {}), { port: at.port, mutualTls: false, serviceAccount: '', ...more })))
  const mesh = meshSettings(registryOnly ? { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } } : {})
  return { ...base, services: all.map(({ service: one }) => one), workloads: [], endpoints, mesh }
}

/** The destination of the next connection, and where addresses of the test's world really are. */
class Redirect implements Capture {
  destination: Address = { host: '', port: 0 }
  readonly real = new Map<string, Address>()
  readonly #deliver = Promise.withResolvers<Parameters<Capture['start']>[0]>()
  bindsAt = () => undefined
  originalDestination = () => undefined
  dial = (address: Address): Address => this.real.get(formatAddress(address)) ?? address
  start(deliver: Parameters<Capture['start']>[0]): Promise<void> {
    this.#deliver.resolve(deliver)
    return Promise.resolve()
  }
  stop = () => Promise.resolve()

  async tap(): Promise<Address> {
    const deliver = await this.#deliver.promise
    const tap = await listen({ address: { host: '127.0.0.1', port: 0 }, onConnection: (inbound) => deliver('outbound', inbound, { originalDestination: this.destination, authority: undefined }) })
    open.push(tap)
    return tap.address
  }
}

async function startWorld(world: World, settings: Partial<Parameters<typeof proxySettings>[0]> = {}) {
  const state = new WorldState()
  state.update(world)
  const ads = await serveAds(worldSource(state))
  const capture = new Redirect()
  const sidecar = settings.type !== 'router'
  const proxy = await startProxy(
    proxySettings({ name: 'productpage', ip: '127.1.0.1', serviceAccount: 'bookinfo-productpage', labels: { app: 'productpage' }, discoveryAddress: new URL(ads.url).host, discoveryPlaintext: true, adminPort: 0, ...settings }),
    { roots: authority.roots, certificates: { ...identity, roots: authority.roots }, ...(sidecar && { capture }) },
  )
  await proxy.whenReady
  const tap = sidecar ? await capture.tap() : undefined
  return {
    capture,
    async apply(next: World): Promise<void> {
      const { generation } = state.update(next)
      assert.ok((await state.board.waitFor(generation, patienceMs)).complete)
    },
    /** What the server says that a connection to this destination meets; empty when it is closed. */
    async say(host: string, port: number): Promise<string> {
      capture.destination = { host, port }
      const socket = connectTcp(tap!)
      return await text(socket).catch(() => '')
    },
    async sayTls(host: string, port: number, servername: string): Promise<string> {
      capture.destination = { host, port }
      return await tlsText(tap!, servername)
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await proxy.close()
      await ads[Symbol.asyncDispose]()
    },
  }
}

async function tlsText(at: Address, servername: string, ALPNProtocols: string[] = []): Promise<string> {
  const socket = connectTls({ host: at.host, port: at.port, servername, rejectUnauthorized: false, ALPNProtocols })
  return await text(socket).catch(() => '')
}

const db = service('db', { addresses: ['240.240.3.1'], ports: tcp(3306, 'MySQL') })
const external = (name: string, hostname: string, more: Partial<Service>) => service(name, { hostname, registry: 'External', meshExternal: true, selector: undefined, addresses: [], resolution: 'passthrough', ...more })

test('weights are drawn for each connection, a server may speak first, and labels of the client count', { timeout: 30_000 }, async () => {
  const split = resource('VirtualService', 'db', {
    hosts: ['db'],
    tcp: [
      { match: [{ sourceLabels: { app: 'other' } }], route: [{ destination: { host: 'never' } }] },
      { route: [{ destination: { host: 'db', subset: 'a' }, weight: 1 }, { destination: { host: 'db', subset: 'b' }, weight: 3 }] },
    ],
  })
  const subsets = resource('DestinationRule', 'db', { host: 'db', subsets: [{ name: 'a', labels: { v: 'a' } }, { name: 'b', labels: { v: 'b' } }] })
  const endpoints = [{ at: servers.a, labels: { v: 'a' } }, { at: servers.b, labels: { v: 'b' } }]
  await using world = await startWorld(worldOf([{ service: db, endpoints }], [split, subsets]))
  const counts: Record<string, number> = {}
  for (let n = 0; n < 400; n++) {
    const said = await world.say('240.240.3.1', 3306)
    counts[said] = (counts[said] ?? 0) + 1
  }
  assert.deepEqual(Object.keys(counts).sort(), ['a', 'b'])
  // 100 is expected, 8.7 the standard deviation: beyond five of them something is wrong.
  assert.ok(counts['a']! > 56 && counts['a']! < 144, JSON.stringify(counts))
})

test('destination subnets choose, the most specific one first; ranges of a service share its port with others', { timeout: 30_000 }, async () => {
  const range = external('range', 'range.test', { addresses: ['10.9.0.0/16'], ports: tcp(5000) })
  const rules = resource('VirtualService', 'range', {
    hosts: ['range.test'],
    tcp: [{ match: [{ destinationSubnets: ['10.9.1.0/24'] }], route: [{ destination: { host: 'db' } }] }],
  })
  await using world = await startWorld(worldOf([{ service: db, endpoints: [{ at: servers.a }] }, { service: range, endpoints: [] }], [rules]))
  for (const host of ['10.9.1.7', '10.9.2.7', '10.10.0.1']) world.capture.real.set(`${host}:5000`, servers.original)
  assert.equal(await world.say('10.9.1.7', 5000), 'a')
  assert.equal(await world.say('10.9.2.7', 5000), 'original')
  assert.equal(await world.say('10.10.0.1', 5000), 'original', 'of nobody: passed through')
})

test('TLS goes by its server name: rules, wildcards, the services themselves, and what nobody knows', { timeout: 30_000 }, async () => {
  const wiki = external('wiki', '*.wiki.test', { ports: tcp(443, 'TLS') })
  const other = external('other', 'other.test', { ports: tcp(443, 'HTTPS') })
  const vault = service('vault', { addresses: ['240.240.3.2'], ports: tcp(443, 'TLS') })
  const rules = resource('VirtualService', 'wiki', {
    hosts: ['*.wiki.test'],
    tls: [{ match: [{ sniHosts: ['en.wiki.test'] }], route: [{ destination: { host: 'vault' } }] }],
  })
  const all = [{ service: wiki, endpoints: [] }, { service: other, endpoints: [] }, { service: vault, endpoints: [{ at: servers.tlsA }] }]
  await using world = await startWorld(worldOf(all, [rules]))
  world.capture.real.set('10.1.1.1:443', servers.tlsOriginal)
  assert.equal(await world.sayTls('10.1.1.1', 443, 'en.wiki.test'), 'tlsA en.wiki.test')
  assert.equal(await world.sayTls('10.1.1.1', 443, 'de.wiki.test'), 'tlsOriginal de.wiki.test')
  assert.equal(await world.sayTls('10.1.1.1', 443, 'other.test'), 'tlsOriginal other.test')
  assert.equal(await world.sayTls('240.240.3.2', 443, 'whatever.test'), 'tlsA whatever.test')
  assert.equal(await world.sayTls('10.1.1.1', 443, 'nobody.test'), 'tlsOriginal nobody.test')
  await world.apply(worldOf(all, [rules], true))
  assert.equal(await world.sayTls('10.1.1.1', 443, 'nobody.test'), '', 'REGISTRY_ONLY')
  assert.equal(await world.sayTls('10.1.1.1', 443, 'other.test'), 'tlsOriginal other.test')
})

test('each Pod of a headless service is reached by its own address, and one that comes later too', { timeout: 30_000 }, async () => {
  const redis = service('redis', { addresses: [], resolution: 'passthrough', ports: tcp(6379, 'Redis') })
  const pods = (...addresses: string[]) => worldOf([{ service: redis, endpoints: addresses.map((host) => ({ at: { host, port: 6379 } })) }], [], true)
  await using world = await startWorld(pods('127.9.0.1'))
  world.capture.real.set('127.9.0.1:6379', servers.pod1)
  world.capture.real.set('127.9.0.2:6379', servers.pod2)
  assert.equal(await world.say('127.9.0.1', 6379), 'pod1')
  assert.equal(await world.say('127.9.0.2', 6379), '', 'not one of its Pods')
  await world.apply(pods('127.9.0.1', '127.9.0.2'))
  assert.equal(await world.say('127.9.0.2', 6379), 'pod2')
  await world.apply(pods('127.9.0.2'))
  assert.equal(await world.say('127.9.0.1', 6379), '')
  assert.equal(await world.say('127.9.0.2', 6379), 'pod2')
})

test('an east-west gateway passes on TLS of the mesh by its server name, to endpoints that end it, and nothing else', { timeout: 30_000 }, async () => {
  const port = await freePort()
  const inside = service('inside', { ports: tcp(9080, 'HTTP') })
  const outside = external('outside', 'outside.test', { ports: tcp(9080, 'HTTP'), resolution: 'client-side', addresses: ['240.240.9.1'] })
  const gateway = resource('Gateway', 'east', { selector: { istio: 'eastwestgateway' }, servers: [{ port: { number: port, name: 'tls', protocol: 'TLS' }, hosts: ['*.local', '*.test'], tls: { mode: 'AUTO_PASSTHROUGH' } }] })
  const subsets = resource('DestinationRule', 'inside', { host: 'inside', subsets: [{ name: 'plain', labels: { v: 'plain' } }] })
  const endpoints = [{ at: servers.tlsA, mutualTls: true, labels: {} }, { at: servers.a, labels: { v: 'plain' } }]
  await using _world = await startWorld(
    worldOf([{ service: inside, endpoints }, { service: outside, endpoints: [{ at: servers.tlsA, mutualTls: true }] }], [gateway, subsets]),
    { type: 'router', name: 'east', labels: { istio: 'eastwestgateway' } },
  )
  const at = { host: '127.0.0.1', port }
  const name = 'outbound_.9080_._.inside.default.svc.cluster.local'
  for (let n = 0; n < 5; n++) assert.equal(await tlsText(at, name, ['istio']), `tlsA ${name}`)
  assert.equal(await tlsText(at, name), '', 'no protocol of the mesh')
  assert.equal(await tlsText(at, 'outbound_.9080_.plain_.inside.default.svc.cluster.local', ['istio']), '', 'no endpoint that ends TLS')
  assert.equal(await tlsText(at, 'outbound_.9080_._.outside.test', ['istio']), '', 'outside of the mesh')
  assert.equal(await tlsText(at, 'inside.default.svc.cluster.local', ['istio']), '', 'a name that is none')
})

test('a server that binds to a unix socket takes bytes there', { timeout: 30_000 }, async () => {
  await using folder = await TempFolder.create()
  const path = folder.at('gateway.sock')
  const gateway = resource('Gateway', 'local', { selector: { istio: 'local' }, servers: [{ port: { number: 0, name: 'tcp', protocol: 'TCP' }, bind: `unix://${path}`, hosts: ['*'] }] })
  const rules = resource('VirtualService', 'local', { hosts: ['*'], gateways: ['local'], tcp: [{ route: [{ destination: { host: 'db' } }] }] })
  await using _world = await startWorld(worldOf([{ service: db, endpoints: [{ at: servers.a }] }], [gateway, rules]), { type: 'router', name: 'local', labels: { istio: 'local' } })
  assert.equal(await text(connectTcp(path)), 'a')
})
