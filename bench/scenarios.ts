// What is compared: for each hop, the programs that do it, the first of which the others are held against.
import { join } from 'node:path'
import { freePort } from '../src/net/reserve-port.ts'
import type { LoadOptions, LoadPlace } from './load/load.ts'
import type { Rate } from './measure.ts'
import { hopHost, serverHost } from './mesh-envoy.ts'
import type { MeshProcesses } from './mesh-processes.ts'
import type { World } from './world.ts'
import { haproxyGateway, haproxyH2, haproxyInbound, haproxyOutbound, haproxyRelay, haproxyTlsRelay } from './twins/haproxy.ts'
import { nghttpd, nghttpx } from './twins/nghttp2.ts'
import { bigPath, nginxGateway, nginxInbound, nginxOutbound } from './twins/nginx.ts'
import type { TwinPlace } from './twins/nginx.ts'
import { startEnvoyTwin } from './twins/envoy.ts'
import type { EnvoyRole } from './twins/envoy.ts'

/** A program, or two that make a hop together. */
export interface Contender {
  readonly name: string
  /** Where load goes in. */
  readonly port: number
  readonly pids: readonly number[]
  readonly place?: LoadPlace
  /** Instead of the scenario's. */
  readonly headers?: readonly string[]
}

export interface Bar {
  readonly against: string
  readonly most: number
  /** What is compared where it is not CPU. */
  readonly of?: 'p999'
}

export interface Scenario {
  readonly name: string
  readonly title: string
  /** Our CPU a request at most, as a multiple of another contender's. */
  readonly bars: readonly Bar[]
  readonly tls: boolean
  readonly headers: readonly string[]
  /** Where it is not 1 KB on connections that stay. */
  /** Where it is not as many requests as each can serve. */
  readonly rate?: Rate
  readonly load?: Partial<Pick<LoadOptions, 'path' | 'connections' | 'fresh' | 'h2'>>
  start(world: World): Promise<readonly Contender[]>
}

type Twin = (place: TwinPlace) => readonly string[]

async function twin(world: World, name: string, command: Twin, upstream: number): Promise<Contender> {
  const { folder, children } = world
  const port = await freePort()
  const pid = await children.server(name, command({ folder, port, upstream }), [port], { core: 'measured', output: join(folder, `${name}.out`) })
  return { name, port, pids: [pid] }
}

type StartOurs = (mesh: MeshProcesses, port: number) => Promise<number>

const ours = (world: World, start: StartOurs): Promise<readonly Contender[]> => besideBase(world, (name, mesh) => one(name, mesh, start))

/** With `--base` the proxies of another tree before our newest. */
async function besideBase({ mesh, base }: World, start: (name: string, mesh: MeshProcesses) => Promise<Contender>): Promise<readonly Contender[]> {
  const newest = await start('trysail', mesh)
  return base === undefined ? [newest] : [await start('base', base), newest]
}

async function one(name: string, mesh: MeshProcesses, start: StartOurs): Promise<Contender> {
  const port = await freePort()
  return { name, port, pids: [await start(mesh, port)] }
}

async function ourHop(name: string, mesh: MeshProcesses, upstream: number): Promise<Contender> {
  const inward = await one(name, mesh, (to, port) => to.inbound(port, upstream))
  return joined(await one(name, mesh, (to, port) => to.outbound(port, inward.port)), inward)
}

async function envoys(world: World, role: EnvoyRole): Promise<readonly Contender[]> {
  const { folder, children, mesh, envoy } = world
  if (envoy === undefined) return []
  const pid = await startEnvoyTwin(role, { folder, children, plaintextPort: mesh.plaintextPort })
  return [{ name: 'envoy', port: envoy[role], pids: [pid], ...((role === 'outbound' || role === 'hop') && { headers: [`Host: ${role === 'hop' ? hopHost : serverHost}:${envoy[role]}`] }) }]
}

async function envoyHop(world: World): Promise<readonly Contender[]> {
  const [inward] = await envoys(world, 'inbound')
  const [outward] = await envoys(world, 'hop')
  return inward === undefined || outward === undefined ? [] : [joined(outward, inward)]
}

/** Two of the same make that looks like one: load goes into the first. */
const joined = (first: Contender, second: Contender): Contender => ({ ...first, pids: [...first.pids, ...second.pids] })

async function twinHop(world: World, name: string, out: Twin, inward: Twin): Promise<Contender> {
  const second = await twin(world, name, inward, world.upstream)
  return joined(await twin(world, name, out, second.port), second)
}

const relays = async (world: World): Promise<readonly Contender[]> => [
  await twin(world, 'haproxy', haproxyRelay, world.upstream),
  ...(await ours(world, (mesh, port) => mesh.relay(port, world.upstream))),
]

const tlsRelays = async (world: World): Promise<readonly Contender[]> => [
  await twin(world, 'haproxy', haproxyTlsRelay, world.upstream),
  ...(await ours(world, (mesh, port) => mesh.tlsRelay(port, world.upstream))),
]

const gateways = async (world: World): Promise<readonly Contender[]> => [
  await twin(world, 'nginx', nginxGateway, world.upstream),
  await twin(world, 'haproxy', haproxyGateway, world.upstream),
  ...(await envoys(world, 'gateway')),
  ...(await ours(world, (mesh, port) => mesh.gateway(port, world.upstream))),
]

const inbounds = async (world: World): Promise<readonly Contender[]> => [
  await twin(world, 'haproxy', haproxyInbound, world.upstream),
  await twin(world, 'nginx', nginxInbound, world.upstream),
  ...(await envoys(world, 'inbound')),
  ...(await ours(world, (mesh, port) => mesh.inbound(port, world.upstream))),
]

const multiplexed = async (world: World): Promise<readonly Contender[]> => {
  const { folder, children, h2Upstream } = world
  await children.server('nghttpd', nghttpd(folder, h2Upstream), [h2Upstream], { core: 'load', output: join(folder, 'nghttpd.out') })
  return [
    await twin(world, 'nghttpx', nghttpx, h2Upstream),
    await twin(world, 'haproxy', haproxyH2, h2Upstream),
    ...(await envoys(world, 'h2')),
    ...(await ours(world, (mesh, port) => mesh.h2Gateway(port, h2Upstream))),
  ]
}

const atServer = ['Host: server.bench.svc.cluster.local:8080']
const bulk = { path: bigPath, connections: 4 }

export const scenarios: readonly Scenario[] = [
  {
    name: 'gateway', title: 'Gateway: plain in, plain out, all features', bars: [{ against: 'nginx', most: 1.35 }, { against: 'envoy', most: 0.5 }], tls: false, headers: ['Host: bench.example.com', 'User-Agent: bench'],
    start: gateways,
  },
  {
    name: 'inbound', title: "Server's sidecar: mTLS in, plain out; nginx and HAProxy bare", bars: [{ against: 'haproxy', most: 1.5 }, { against: 'envoy', most: 0.5 }], tls: true, headers: atServer,
    start: inbounds,
  },
  {
    name: 'outbound', title: "Client's sidecar: plain in, mTLS out; nginx and HAProxy bare", bars: [{ against: 'haproxy', most: 1.5 }, { against: 'envoy', most: 0.5 }], tls: false, headers: atServer,
    start: async (world) => [
      await twin(world, 'haproxy', haproxyOutbound, world.tlsUpstream),
      await twin(world, 'nginx', nginxOutbound, world.tlsUpstream),
      ...(await envoys(world, 'outbound')),
      ...(await ours(world, (mesh, port) => mesh.outbound(port, world.tlsUpstream))),
    ],
  },
  {
    name: 'hop', title: "Sidecar to sidecar: plain in, mTLS between, plain out; nginx and HAProxy bare pairs", bars: [], tls: false, headers: atServer,
    start: async (world) => [
      await twinHop(world, 'haproxy', haproxyOutbound, haproxyInbound),
      await twinHop(world, 'nginx', nginxOutbound, nginxInbound),
      ...(await besideBase(world, (name, mesh) => ourHop(name, mesh, world.upstream))),
    ],
  },
  {
    name: 'hop-rate', title: 'Sidecar to sidecar at a fixed rate: plain in, mTLS between, plain out', bars: [{ against: 'envoy', most: 0.5 }], tls: false, headers: atServer, rate: 2_000,
    start: async (world) => [
      await twinHop(world, 'haproxy', haproxyOutbound, haproxyInbound),
      { name: 'direct', port: world.upstream, pids: [] },
      ...(await envoyHop(world)),
      ...(await besideBase(world, (name, mesh) => ourHop(name, mesh, world.upstream))),
    ],
  },
  {
    name: 'tail', title: 'Gateway at 60 % of what each can do at most', bars: [{ against: 'nginx', most: 1.5, of: 'p999' }], tls: false, headers: ['Host: bench.example.com'], rate: { ofMaximum: 0.6 },
    start: gateways,
  },
  {
    name: 'relay', title: 'Bytes through a gateway, small messages', bars: [{ against: 'haproxy', most: 1.15 }], tls: false, headers: atServer, start: relays,
  },
  {
    name: 'relay-bulk', title: 'Bytes through a gateway, 1 MB (CPU per MB)', bars: [{ against: 'haproxy', most: 1 }], tls: false, headers: atServer, load: bulk, start: relays,
  },
  {
    name: 'tls-relay', title: "Server's sidecar of a TCP port: mTLS in, plain out, small messages", bars: [{ against: 'haproxy', most: 1.15 }], tls: true, headers: atServer, start: tlsRelays,
  },
  {
    name: 'tls-relay-bulk', title: "Server's sidecar of a TCP port: mTLS in, plain out, 1 MB (CPU per MB)", bars: [{ against: 'haproxy', most: 1 }], tls: true, headers: atServer, load: bulk, start: tlsRelays,
  },
  {
    name: 'bulk', title: 'Gateway, answers of 1 MB (CPU per MB)', bars: [{ against: 'nginx', most: 1 }], tls: false, headers: ['Host: bench.example.com'], load: bulk, start: gateways,
  },
  {
    name: 'churn', title: 'Gateway, a connection for each request', bars: [{ against: 'haproxy', most: 1.2 }], tls: false, headers: ['Host: bench.example.com'], load: { fresh: true }, start: gateways,
  },
  {
    name: 'tls-churn', title: "Server's sidecar, a mutual TLS handshake for each request", bars: [{ against: 'haproxy', most: 1 }], tls: true, headers: atServer, load: { fresh: true, connections: 16 }, start: inbounds,
  },
  {
    name: 'h2', title: 'Gateway of HTTP/2, GET of 1 KB, 16 connections of 10 streams; nghttpx and HAProxy bare', bars: [{ against: 'nghttpx', most: 1.1 }, { against: 'envoy', most: 0.5 }],
    tls: false, headers: ['Host: bench.example.com'], load: { path: '/kilobyte', connections: 16, h2: { streams: 10, postBytes: 0 } }, start: multiplexed,
  },
  {
    name: 'grpc', title: 'Gateway of HTTP/2, POST of 100 bytes as gRPC does, 16 connections of 10 streams; nghttpx and HAProxy bare', bars: [{ against: 'haproxy', most: 0.8 }, { against: 'envoy', most: 0.5 }],
    tls: false, headers: ['Host: bench.example.com'], load: { path: '/kilobyte', connections: 16, h2: { streams: 10, postBytes: 100 } }, start: multiplexed,
  },
  {
    name: 'h2-bulk', title: 'Gateway of HTTP/2, GET of 1 MB (CPU per MB); nghttpx and HAProxy bare', bars: [{ against: 'nghttpx', most: 1.4 }, { against: 'envoy', most: 0.5 }],
    tls: false, headers: ['Host: bench.example.com'], load: { path: bigPath, connections: 2, h2: { streams: 4, postBytes: 0 } }, start: multiplexed,
  },
]

/** The load that a scenario's contenders are put under, all of them the same. */
export function loadOf({ tls, headers, load }: Scenario, folder: string): Pick<LoadOptions, 'path' | 'headers' | 'tls' | 'fresh' | 'h2'> & Partial<Pick<LoadOptions, 'connections'>> {
  return {
    path: '/', headers, ...load,
    tls: tls ? { certificate: join(folder, 'client.pem'), key: join(folder, 'client.key'), serverName: 'server.bench' } : undefined,
  }
}
