// What is compared: for each hop, the programs that do it, the first of which the others are held against.
import { join } from 'node:path'
import { freePort } from '../src/net/reserve-port.ts'
import type { Children } from './children.ts'
import type { LoadOptions } from './load/load.ts'
import type { MeshProcesses } from './mesh-processes.ts'
import { haproxyGateway, haproxyInbound, haproxyOutbound } from './twins/haproxy.ts'
import { nginxGateway, nginxInbound, nginxOutbound } from './twins/nginx.ts'
import type { TwinPlace } from './twins/nginx.ts'

/** A program, or two that make a hop together. */
export interface Contender {
  readonly name: string
  /** Where load goes in. */
  readonly port: number
  readonly pids: readonly number[]
}

export interface World {
  readonly folder: string
  readonly children: Children
  readonly mesh: MeshProcesses
  /** An application that answers 1 KB, and the same behind mutual TLS. */
  readonly upstream: number
  readonly tlsUpstream: number
}

export interface Scenario {
  readonly name: string
  readonly title: string
  /** Our CPU a request at most, as a multiple of the first contender's. */
  readonly bar: number | undefined
  readonly tls: boolean
  readonly headers: readonly string[]
  start(world: World): Promise<readonly Contender[]>
}

type Twin = (place: TwinPlace) => readonly string[]

async function twin(world: World, name: string, command: Twin, upstream: number): Promise<Contender> {
  const { folder, children } = world
  const port = await freePort()
  const pid = await children.server(name, command({ folder, port, upstream }), [port], { core: 'measured', output: join(folder, `${name}.out`) })
  return { name, port, pids: [pid] }
}

async function ours(start: (port: number) => Promise<number>): Promise<Contender> {
  const port = await freePort()
  return { name: 'trysail', port, pids: [await start(port)] }
}

/** Two of the same make that looks like one: load goes into the first. */
const joined = (first: Contender, second: Contender): Contender => ({ ...first, pids: [...first.pids, ...second.pids] })

async function twinHop(world: World, name: string, out: Twin, inward: Twin): Promise<Contender> {
  const second = await twin(world, name, inward, world.upstream)
  return joined(await twin(world, name, out, second.port), second)
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'gateway', title: 'Gateway: plain in, plain out, all features', bar: 1.35, tls: false, headers: ['Host: bench.example.com', 'User-Agent: bench'],
    start: async (world) => [
      await twin(world, 'nginx', nginxGateway, world.upstream),
      await twin(world, 'haproxy', haproxyGateway, world.upstream),
      await ours((port) => world.mesh.gateway(port, world.upstream)),
    ],
  },
  {
    name: 'inbound', title: "Server's sidecar: mTLS in, plain out; nginx and HAProxy bare", bar: 1.5, tls: true, headers: ['Host: server.bench.svc.cluster.local:8080'],
    start: async (world) => [
      await twin(world, 'haproxy', haproxyInbound, world.upstream),
      await twin(world, 'nginx', nginxInbound, world.upstream),
      await ours((port) => world.mesh.inbound(port, world.upstream)),
    ],
  },
  {
    name: 'outbound', title: "Client's sidecar: plain in, mTLS out; nginx and HAProxy bare", bar: 1.5, tls: false, headers: ['Host: server.bench.svc.cluster.local:8080'],
    start: async (world) => [
      await twin(world, 'haproxy', haproxyOutbound, world.tlsUpstream),
      await twin(world, 'nginx', nginxOutbound, world.tlsUpstream),
      await ours((port) => world.mesh.outbound(port, world.tlsUpstream)),
    ],
  },
  {
    name: 'hop', title: "Sidecar to sidecar: plain in, mTLS between, plain out; nginx and HAProxy bare pairs", bar: undefined, tls: false, headers: ['Host: server.bench.svc.cluster.local:8080'],
    start: async (world) => {
      const inward = await ours((port) => world.mesh.inbound(port, world.upstream))
      return [
        await twinHop(world, 'haproxy', haproxyOutbound, haproxyInbound),
        await twinHop(world, 'nginx', nginxOutbound, nginxInbound),
        joined(await ours((port) => world.mesh.outbound(port, inward.port)), inward),
      ]
    },
  },
]

/** The load that a scenario's contenders are put under, all of them the same. */
export function loadOf({ tls, headers }: Scenario, folder: string): Pick<LoadOptions, 'path' | 'headers' | 'tls'> {
  return {
    path: '/', headers,
    tls: tls ? { certificate: join(folder, 'client.pem'), key: join(folder, 'client.key'), serverName: 'server.bench' } : undefined,
  }
}
