// Load of HTTP/2 by nghttp2's h2load: streams on connections that stay, closed loop. Latencies come from its own log.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../children.ts'
import type { LoadOptions, LoadResult } from './load.ts'

export interface H2Load {
  /** Streams at once on each connection. */
  readonly streams: number
  /** Bytes of a gRPC-like POST; 0 for GET. */
  readonly postBytes: number
}

/** Of h2load's whole seconds; before them it warms up. */
const leastSeconds = 1
const warmUp = '300ms'

export async function h2load(folder: string, options: LoadOptions, { streams, postBytes }: H2Load, onBegin?: () => void): Promise<LoadResult> {
  const log = join(folder, 'h2load.log')
  const post = join(folder, 'post')
  writeFileSync(log, '')
  if (postBytes > 0) writeFileSync(post, Buffer.alloc(postBytes, 'x'))
  const seconds = Math.max(leastSeconds, Math.round(options.seconds))
  const output = await run('load', [
    'h2load', `-c${options.connections}`, `-m${streams}`, `-D${seconds}`, `--warm-up-time=${warmUp}`, `--log-file=${log}`,
    ...(postBytes > 0 ? ['-d', post, '-H', 'content-type: application/grpc', '-H', 'te: trailers'] : []),
    ...options.headers.flatMap((header) => ['-H', header.replace(/^Host:/i, ':authority:')]),
    `http://127.0.0.1:${options.port}${options.path}`,
  ], (line) => line.startsWith('Warm-up phase is over') && onBegin?.())
  return resultOf(output, readFileSync(log, 'latin1'), seconds)
}

/** A line of the log: when it began, status, microseconds, tab-separated. */
function resultOf(output: string, log: string, seconds: number): LoadResult {
  const counts = /requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed/.exec(output)
  if (counts === null) throw new Error(`h2load said nothing that can be read:\n${output}`)
  const [, , , done, succeeded] = counts.map(Number)
  const times = log.split('\n').filter((line) => line !== '').map((line) => Number(line.split('\t')[2])).sort((one, other) => one - other)
  const at = (part: number): number => times[Math.floor(part * (times.length - 1))] ?? 0
  return { requests: done!, rps: done! / seconds, errors: done! - succeeded!, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) }
}
