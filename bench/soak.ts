// `npm run soak`: a gateway and a sidecar under mixed load for half an hour: connections that stay and such that do not, big
// answers, HTTP/2, handshakes. What is held must come to rest and no descriptor may be left: a leak of a few bytes a request
// shows in millions of them.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort } from '../src/net/reserve-port.ts'
import { Children } from './children.ts'
import { heldBy } from './held-memory.ts'
import type { Held } from './held-memory.ts'
import { openGenerator } from './load/load.ts'
import type { LoadOptions } from './load/load.ts'
import { usageOf } from './process-usage.ts'
import { slopeOf } from './slope.ts'
import { bigPath } from './twins/nginx.ts'
import { hasNghttp2, nghttpd } from './twins/nghttp2.ts'
import { openWorld } from './world.ts'

const usage = `npm run soak -- [--minutes N]   (30): mixed load on a gateway and a sidecar of ours; exit 1 when memory goes on
growing in the second half, or descriptors are left at the end. Needs what npm run bench needs.
`

/**
 * In the second half, however long: what is seen for the first time there, a table that grows once more, connections that happen to be
 * open. Half a megabyte was the most that was measured of it; a leak goes on, and has millions of requests to do so.
 */
const mostGrowth: Held = { dataBytes: 1.5 * 2 ** 20, codeBytes: 4 * 2 ** 20 }
/** Pooled connections to upstreams stay for a while. */
const spareDescriptors = 300
const roundSeconds = 2

interface Sample extends Held {
  readonly minutes: number
  readonly rssBytes: number
}

interface Watched {
  readonly name: string
  readonly pid: number
  readonly startDescriptors: number
  readonly samples: Sample[]
}

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2)
const signed = (bytes: number): string => `${bytes < 0 ? '-' : '+'}${megabytes(Math.abs(bytes))} MB`

const watch = (name: string, pid: number): Watched => ({ name, pid, startDescriptors: descriptors(pid), samples: [] })

async function sample({ pid, samples }: Watched, minutes: number): Promise<void> {
  const held = await heldBy(pid)
  samples.push({ minutes, rssBytes: usageOf([pid]).rssBytes, ...held })
}

/** By all samples: single ones jump. */
function growth(samples: readonly Sample[], of: (one: Sample) => number): number {
  return slopeOf(samples.map((one) => [one.minutes, of(one)])) * (samples.at(-1)!.minutes - samples[0]!.minutes)
}

function judge({ name, pid, startDescriptors, samples }: Watched): boolean {
  const half = samples.slice(Math.floor(samples.length / 2))
  const [data, code, rss] = [growth(half, ({ dataBytes }) => dataBytes), growth(half, ({ codeBytes }) => codeBytes), growth(half, ({ rssBytes }) => rssBytes)]
  const left = descriptors(pid) - startDescriptors
  const good = data <= mostGrowth.dataBytes && code <= mostGrowth.codeBytes && left <= spareDescriptors
  const [first, last] = [samples[0]!, samples.at(-1)!]
  const since = `in the last ${(last.minutes - half[0]!.minutes).toFixed(1)} minutes`
  console.log(`${name}: holds ${megabytes(first.dataBytes)} MB at first and ${megabytes(last.dataBytes)} at the end, ${signed(data)} ${since}; `
    + `code ${megabytes(last.codeBytes)} MB, ${signed(code)}; resident ${megabytes(last.rssBytes)} MB, ${signed(rss)}; ${left} more descriptors than at its start: ${good ? 'good' : 'NOT good'}`)
  return good
}

async function soak(minutes: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-soak-'))
  // What was started ends with this process, when it exits; a signal alone would leave it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  try {
    await using children = new Children()
    const generator = openGenerator(folder)
    if (generator.missing !== undefined) throw new Error(generator.missing)
    const world = await openWorld(folder, children, { nodeFlags: ['--expose-gc'], withEnvoy: false })
    const [gatewayPort, inboundPort, h2Port] = [await freePort(), await freePort(), await freePort()]
    const watched = [watch('gateway', await world.mesh.gateway(gatewayPort, world.upstream)), watch('sidecar', await world.mesh.inbound(inboundPort, world.upstream))]
    const tls = { certificate: join(folder, 'client.pem'), key: join(folder, 'client.key'), serverName: 'server.bench' }
    const gateway = { port: gatewayPort, path: '/', headers: ['Host: bench.example.com'] }
    const sidecar = { port: inboundPort, path: '/', headers: ['Host: server.bench.svc.cluster.local:8080'], tls }
    const mix: Omit<LoadOptions, 'seconds'>[] = [
      { ...gateway, connections: 64 }, { ...gateway, connections: 64, fresh: true }, { ...gateway, connections: 4, path: bigPath },
      { ...sidecar, connections: 64 }, { ...sidecar, connections: 16, fresh: true }, { ...sidecar, connections: 4, path: bigPath },
    ]
    if (hasNghttp2()) {
      await children.server('nghttpd', nghttpd(folder, world.h2Upstream), [world.h2Upstream], { core: 'load', output: join(folder, 'nghttpd.out') })
      watched.push(watch('gateway of HTTP/2', await world.mesh.h2Gateway(h2Port, world.h2Upstream)))
      mix.push({ port: h2Port, path: '/kilobyte', headers: gateway.headers, connections: 16, h2: { streams: 10, postBytes: 0 } })
    }
    const start = Date.now()
    let requests = 0
    let errors = 0
    for (let round = 0; Date.now() - start < minutes * 60_000; round++) {
      const result = await generator.load({ ...mix[round % mix.length]!, seconds: roundSeconds })
      requests += result.requests
      errors += result.errors
      if (round % mix.length !== mix.length - 1) continue
      for (const one of watched) await sample(one, (Date.now() - start) / 60_000)
    }
    await sleep(2_000) // closed connections are noticed
    console.log(`${requests} requests in ${minutes} minutes, ${errors} errors`)
    return watched.map(judge).every(Boolean) && errors === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, help: { type: 'boolean', default: false } } })
const minutes = Number(values.minutes)
if (values.help) console.log(usage)
else if (!(minutes > 0)) {
  console.error(`--minutes must be a number greater than 0, not ${JSON.stringify(values.minutes)}`)
  process.exitCode = 64
} else process.exitCode = (await soak(minutes)) ? 0 : 1
