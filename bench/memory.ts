// What connections cost in memory: resident set right after the start, and with some and many of them.
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadGenerator, LoadOptions } from './load/load.ts'
import { usageOf } from './process-usage.ts'
import type { Contender } from './scenarios.ts'

export interface MemoryFigures {
  readonly name: string
  readonly idleBytes: number
  /** By number of idle connections. */
  readonly held: readonly { readonly connections: number; readonly rssBytes: number; readonly bytesPerConnection: number }[]
}

/** `active`: each has a request in progress at any time. */
export type Clients = 'idle' | 'active'

/** Handshakes of more would take longer than they are held. */
const countsOf = (clients: Clients, tls: boolean): readonly number[] => (clients === 'active' || tls ? [500, 2_000] : [1_000, 10_000])

/** How long connections are held, and what a proxy has of that to come to rest. */
const holdSeconds = 3
const restMs = 2_000

export async function measureMemory(contenders: readonly Contender[], generator: LoadGenerator, clients: Clients, load: Omit<LoadOptions, 'port' | 'connections' | 'seconds'>): Promise<readonly MemoryFigures[]> {
  const figures: MemoryFigures[] = []
  for (const { name, port, pids } of contenders) {
    const idleBytes = usageOf(pids).rssBytes
    const held: MemoryFigures['held'][number][] = []
    for (const connections of countsOf(clients, load.tls !== undefined)) {
      const rssBytes = await rssWhileHeld(pids, generator, clients, { ...load, port, connections, seconds: holdSeconds })
      held.push({ connections, rssBytes, bytesPerConnection: (rssBytes - idleBytes) / connections })
    }
    figures.push({ name, idleBytes, held })
  }
  return figures
}

async function rssWhileHeld(pids: readonly number[], generator: LoadGenerator, clients: Clients, load: LoadOptions): Promise<number> {
  let rssBytes = 0
  let sampled: Promise<void> = Promise.resolve()
  const onBegin = (): void => {
    sampled = sleep(restMs).then(() => void (rssBytes = usageOf(pids).rssBytes))
  }
  await (clients === 'idle' ? generator.hold(load, onBegin) : generator.load(load, onBegin))
  await sampled
  return rssBytes
}

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

export function memoryTable(title: string, figures: readonly MemoryFigures[]): string {
  const head = ['', 'RSS MB at start', ...figures[0]!.held.flatMap(({ connections }) => [`with ${connections}`, 'KB each'])]
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rows = figures.map(({ name, idleBytes, held }) =>
    row([name, megabytes(idleBytes), ...held.flatMap((one) => [megabytes(one.rssBytes), (one.bytesPerConnection / 1024).toFixed(1)])]))
  return [`### ${title}`, '', row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows, ''].join('\n')
}
