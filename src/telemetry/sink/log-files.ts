// The log files of one process, by path: all loggers of one path share one buffer, so that lines never mix.
import { systemClock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { LogFile } from './log-file.ts'
import type { LogFileOptions, LogFileStats } from './log-file.ts'

export type WriteLine = (line: string) => void

/** What access logs are compiled against. */
export interface LogSinks {
  /** Throws MeshError where the file cannot be opened. */
  open(path: string): WriteLine
}

/** A control plane that names more files than this is wrong; each costs 512 KB once it is written. */
const maxFiles = 64

export class LogFiles implements LogSinks, AsyncDisposable {
  readonly #options: LogFileOptions
  readonly #files = new Map<string, LogFile>()

  constructor(options: Partial<LogFileOptions> = {}) {
    this.#options = { clock: systemClock, ...options }
  }

  open(path: string): WriteLine {
    const known = this.#files.get(path)
    if (known !== undefined) return known.write
    if (path === '') throw new MeshError('telemetry/cannot-open-log', 'an access log without a path')
    if (this.#files.size >= maxFiles) throw new MeshError('telemetry/cannot-open-log', `cannot open the access log ${path}: ${maxFiles} log files are open already`)
    const file = new LogFile(path, this.#options)
    this.#files.set(path, file)
    return file.write
  }

  /** For log rotation, as Envoy does on SIGUSR1. */
  reopen(): void {
    for (const file of this.#files.values()) file.reopen()
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.flush()))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** `filesystem.write_completed` and so on, of all files together. */
  stats(): readonly { readonly name: string; readonly value: number }[] {
    const sums: LogFileStats = { write_completed: 0, write_failed: 0, flushed_by_timer: 0, reopen_failed: 0, dropped: 0 }
    const names = Object.keys(sums) as (keyof LogFileStats)[]
    for (const { stats } of this.#files.values()) for (const name of names) sums[name] += stats[name]
    return names.map((name) => ({ name: `filesystem.${name}`, value: sums[name] }))
  }
}
