// The log of the commands that serve: one line each on standard error, with time and level. Standard output is left to
// what the command was asked for, such as an access log.
import type { Io } from './command.ts'

/** From what matters most to what matters least. */
export const logLevels = ['error', 'warning', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

export type ServiceLog = (level: LogLevel, line: string) => void

const width = Math.max(...logLevels.map((level) => level.length))

/** Says what matters at least as much as `most`. */
export function serviceLog({ stderr }: Io, most: LogLevel): ServiceLog {
  return (level, line) => {
    if (logLevels.indexOf(level) > logLevels.indexOf(most)) return
    stderr(`${new Date().toISOString()} ${level.padEnd(width)} ${line.replaceAll('\n', ' ')}\n`)
  }
}
