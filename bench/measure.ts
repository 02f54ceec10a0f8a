// Measures the contenders of a scenario in interleaved rounds: A B C, C B A, ... CPU a request is compared round by round,
// because what else the machine does changes absolute figures by half, and ratios by some per cent.
import { readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadGenerator, LoadOptions, LoadResult } from './load/load.ts'
import { usageOf } from './process-usage.ts'
import type { Contender } from './scenarios.ts'

export interface Sample extends LoadResult {
  readonly round: number
  readonly cpuMicrosPerRequest: number
  readonly rssBytes: number
}

export interface Measured {
  readonly name: string
  /** Right after its start. */
  readonly idleRssBytes: number
  readonly samples: readonly Sample[]
  /** Requests a second that it was asked for; undefined: as many as it could. */
  readonly rate: number | undefined
}

/** So many a second, or a part of what each can do at most. */
export type Rate = number | { readonly ofMaximum: number }

export interface MeasureOptions {
  readonly generator: LoadGenerator
  readonly rounds: number
  readonly warmupSeconds: number
  /** Its logs are emptied between rounds. */
  readonly folder: string
  readonly load: Omit<LoadOptions, 'port' | 'rate'>
  readonly rate?: Rate | undefined
}

export async function measure(contenders: readonly Contender[], options: MeasureOptions): Promise<readonly Measured[]> {
  const { generator, rounds, warmupSeconds, load, folder } = options
  const measured = contenders.map((contender) => ({
    contender, name: contender.name, idleRssBytes: usageOf(contender.pids).rssBytes, samples: [] as Sample[], rate: undefined as number | undefined,
  }))
  for (const one of measured) {
    const { rps } = await generator.load({ ...loadFor(one.contender, load), seconds: warmupSeconds })
    one.rate = options.rate === undefined || typeof options.rate === 'number' ? options.rate : Math.round(rps * options.rate.ofMaximum)
  }
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? measured : measured.toReversed()) {
      emptyLogs(folder)
      one.samples.push({ round, ...(await sample(one.contender, one.rate, options)) })
      await sleep(50) // what the kernel still does for it is not the next one's
    }
  }
  return measured.map(({ name, idleRssBytes, samples, rate }) => ({ name, idleRssBytes, samples, rate }))
}

function loadFor({ port, place, headers }: Contender, load: MeasureOptions['load']): Omit<LoadOptions, 'rate'> {
  return { ...load, port, place, headers: headers ?? load.headers }
}

async function sample(contender: Contender, rate: number | undefined, { generator, load }: MeasureOptions): Promise<Omit<Sample, 'round'>> {
  const { pids } = contender
  let before = usageOf(pids)
  const result = await generator.load({ ...loadFor(contender, load), rate }, () => (before = usageOf(pids)))
  const after = usageOf(pids)
  return { ...result, cpuMicrosPerRequest: (after.cpuSeconds - before.cpuSeconds) * 1e6 / result.requests, rssBytes: after.rssBytes }
}

function emptyLogs(folder: string): void {
  for (const name of readdirSync(folder)) if (/\.(log|out)$/.test(name)) truncateSync(join(folder, name))
}
