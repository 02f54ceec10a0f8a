// This process's own streams and signals as an `Io`.
import { text } from 'node:stream/consumers'
import type { Io } from './command.ts'

/** The first SIGINT or SIGTERM asks the command to end; a second SIGINT ends the process at once. */
export function processIo(): Io {
  const stop = new AbortController()
  let interrupts = 0
  process.on('SIGINT', () => {
    stop.abort('SIGINT')
    if (++interrupts > 1) process.exit(130)
  })
  process.on('SIGTERM', () => stop.abort('SIGTERM'))
  // A reader that goes away (`| head`) is no reason for a stack trace.
  process.stdout.on('error', () => process.exit(0))
  return {
    stdout: (line) => process.stdout.write(line),
    stderr: (line) => process.stderr.write(line),
    stdin: () => text(process.stdin),
    terminal: process.stdout.isTTY === true,
    color: wantsColor(process.env, process.stdout.isTTY === true),
    stop: stop.signal,
  }
}

/** NO_COLOR and FORCE_COLOR as their conventions say; otherwise colours on a terminal. */
export function wantsColor(env: Readonly<Record<string, string | undefined>>, terminal: boolean): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0'
  return terminal && env['TERM'] !== 'dumb'
}
