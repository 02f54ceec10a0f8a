// Load: our own generator, compiled here; where that cannot be, wrk for what wrk can do (plain, closed loop).
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { run } from '../children.ts'
import { h2load } from './h2load.ts'
import type { H2Load } from './h2load.ts'

/** Elsewhere than on loopback: an address in a network namespace that the bench made, and what leads into it. */
export interface LoadPlace {
  readonly address: string
  readonly under: readonly string[]
}

export interface LoadOptions {
  readonly port: number
  readonly place?: LoadPlace | undefined
  readonly connections: number
  readonly seconds: number
  /** Requests a second, sent when they are due; undefined: each connection asks again at once. */
  readonly rate?: number | undefined
  /** A connection for each request. */
  readonly fresh?: boolean
  /** By HTTP/2 instead of HTTP/1.1. */
  readonly h2?: H2Load
  readonly path: string
  readonly headers: readonly string[]
  readonly tls?: { readonly certificate: string; readonly key: string; readonly serverName: string } | undefined
}

export interface LoadResult {
  /** Ended between `onBegin` and the end. */
  readonly requests: number
  readonly rps: number
  readonly errors: number
  /** Microseconds. */
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface LoadGenerator {
  readonly name: string
  /** Why there is only plain, closed-loop load; undefined when there is all. */
  readonly missing: string | undefined
  /** `onBegin`: everything is connected and warm, measuring begins. */
  load(options: LoadOptions, onBegin?: () => void): Promise<LoadResult>
  /** Only holds connections open. */
  hold(options: LoadOptions, onBegin?: () => void): Promise<void>
}

const here = import.meta.dirname

/** Throws with what to install when there is nothing to make load with. */
export function openGenerator(folder: string): LoadGenerator {
  const program = join(folder, 'generator')
  try {
    execFileSync('cc', ['-O2', '-o', program, join(here, 'generator.c'), '-lssl', '-lcrypto'], { stdio: 'pipe' })
  } catch {
    return wrk('no TLS, no fixed rate and no idle connections without a C compiler and OpenSSL (apt-get install gcc libssl-dev)')
  }
  return {
    name: 'generator.c',
    missing: undefined,
    load: async (options, onBegin) => {
      if (options.h2 !== undefined) return h2load(folder, options, options.h2, onBegin)
      return parse(await run('load', [...(options.place?.under ?? []), program, ...generatorArguments(options)], (line) => line === 'begin' && onBegin?.()))
    },
    hold: async (options, onBegin) => void (await run('load', [program, ...generatorArguments(options), '-i'], (line) => line === 'begin' && onBegin?.())),
  }
}

const warmupSeconds = 0.2

function generatorArguments({ port, place, connections, seconds, rate, fresh = false, path, headers, tls }: LoadOptions): string[] {
  return [
    '-p', `${port}`, ...(place === undefined ? [] : ['-a', place.address]), '-c', `${connections}`, '-d', `${seconds}`, '-w', `${warmupSeconds}`, '-P', path,
    ...(rate === undefined ? [] : ['-r', `${rate}`]),
    ...(fresh ? ['-x'] : []),
    ...headers.flatMap((header) => ['-H', header]),
    ...(tls === undefined ? [] : ['-t', '-E', tls.certificate, '-K', tls.key, '-n', tls.serverName]),
  ]
}

function wrk(missing: string): LoadGenerator {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'pipe' })
  } catch (error) {
    // It says its version with exit code 1.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('no load generator: apt-get install gcc libssl-dev (or wrk, for less)', { cause: error })
  }
  return {
    name: 'wrk',
    missing,
    load: async ({ port, connections, seconds, path, headers }, onBegin) => {
      onBegin?.()
      return parse(await run('load', [
        'wrk', '-t1', `-c${connections}`, `-d${Math.max(1, Math.round(seconds))}s`, '--latency', '-s', join(here, 'wrk-report.lua'),
        ...headers.flatMap((header) => ['-H', header]), `http://127.0.0.1:${port}${path}`,
      ]))
    },
    hold: () => Promise.reject(new Error(missing)),
  }
}

function parse(output: string): LoadResult {
  const line = output.split('\n').find((one) => one.startsWith('{'))
  if (line === undefined) throw new Error(`the load generator said nothing that can be read:\n${output}`)
  const { requests, rps, errors, not2xx, p50, p90, p99, p999, max } = JSON.parse(line) as Record<string, number>
  return { requests: requests!, rps: rps!, errors: errors! + not2xx!, p50: p50!, p90: p90!, p99: p99!, p999: p999!, max: max! }
}
