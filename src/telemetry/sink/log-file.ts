// A file that takes log lines without ever making a request wait: lines go into one buffer while the other one is being
// written. When the disk is slower than the traffic, lines are dropped and counted.
import { close, constants, openSync, write } from 'node:fs'
import type { Clock } from '../../lib/clock.ts'
import { describe, MeshError } from '../../lib/errors.ts'

export type SinkCode = 'telemetry/cannot-open-log'

/** The system calls, so that a test can be a slow or a full disk. */
export interface FileCalls {
  /** Appends; never blocks on a pipe without a reader. */
  open(path: string): number
  write(file: number, bytes: Buffer, at: number, length: number, done: (error: NodeJS.ErrnoException | null, written: number) => void): void
  close(file: number): void
}

export interface LogFileOptions {
  readonly clock: Clock
  /** What it is to people. */
  readonly what?: string
  readonly calls?: FileCalls
  /** One of the two buffers: what a burst may fill while the other is written. A line is about 300 bytes. */
  readonly bufferBytes?: number
  /** Written at once when so much is there (Istio's fileFlushMinSizeKb). */
  readonly flushBytes?: number
  /** Written after this time at the latest. */
  readonly flushMs?: number
  /** First failure of a row of failures, for people. */
  readonly onProblem?: (message: string) => void
}

/** Under Envoy's names, but for `dropped`, which Envoy does not do. */
export interface LogFileStats {
  write_completed: number
  write_failed: number
  flushed_by_timer: number
  reopen_failed: number
  /** Lines that found both buffers full, or were lost with a failed write. */
  dropped: number
}

const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants

export const systemCalls: FileCalls = {
  open: (path) => openSync(path, O_APPEND | O_CREAT | O_NONBLOCK | O_WRONLY, 0o644),
  write: (file, bytes, at, length, done) => write(file, bytes, at, length, null, done),
  close: (file) => close(file, () => {}), // nothing is left to do about a failed close
}

/** Not opened by name: where they are sockets that fails. */
const standardFiles: Readonly<Record<string, number>> = { '/dev/stdout': 1, '/dev/stderr': 2 }

/** A full pipe is tried again this much later, and given up after so many tries in a row: 10 s of nobody reading. */
const retryMs = 20
const maxRetries = 500

/** Throws `telemetry/cannot-open-log`. */
export class LogFile {
  readonly stats: LogFileStats = { write_completed: 0, write_failed: 0, flushed_by_timer: 0, reopen_failed: 0, dropped: 0 }
  readonly #path: string
  readonly #what: string
  readonly #clock: Clock
  readonly #calls: FileCalls
  readonly #bufferBytes: number
  readonly #flushBytes: number
  readonly #flushMs: number
  readonly #onProblem: (message: string) => void
  #file: number
  /** Made at the first line: a log that is never written costs nothing. */
  #filling: Buffer | undefined
  #spare: Buffer | undefined
  #filled = 0
  #lines = 0
  #writing = false
  #failing = false
  #reopen = false
  #closed = false
  #cancelTimer: (() => void) | undefined
  /** Those who wait for the write that is under way, and for the one after it. */
  #waiting: (() => void)[] = []
  #waitingNext: (() => void)[] = []

  constructor(path: string, { clock, what = 'access log', calls = systemCalls, bufferBytes = 256 * 1024, flushBytes = 64 * 1024, flushMs = 100, onProblem = () => {} }: LogFileOptions) {
    this.#path = path
    this.#what = what
    this.#clock = clock
    this.#calls = calls
    this.#bufferBytes = bufferBytes
    this.#flushBytes = flushBytes
    this.#flushMs = flushMs
    this.#onProblem = onProblem
    this.#file = this.#open()
  }

  /** A whole line of latin1, which stands for bytes. Never throws, never waits. */
  readonly write = (line: string): void => {
    if (this.#closed || line.length > this.#bufferBytes) return this.#drop(1)
    if (this.#filled + line.length > this.#bufferBytes) {
      if (this.#writing) return this.#drop(1)
      this.#flush()
    }
    const buffer = (this.#filling ??= Buffer.allocUnsafeSlow(this.#bufferBytes))
    this.#filled += buffer.write(line, this.#filled, 'latin1')
    this.#lines++
    if (this.#writing) return
    if (this.#filled >= this.#flushBytes) this.#flush()
    else this.#cancelTimer ??= this.#clock.after(this.#flushMs, this.#onTimer)
  }

  /** Everything that was there when it was called is written, or lost and counted. */
  async flush(): Promise<void> {
    if (!this.#writing && this.#filled === 0) return
    const list = this.#writing && this.#filled === 0 ? this.#waiting : this.#waitingNext
    const done = new Promise<void>((resolve) => list.push(resolve))
    if (!this.#writing) this.#flush()
    await done
  }

  /** After the file was moved away (logrotate): what is buffered goes to the old one, the rest to a new one. */
  reopen(): void {
    if (standardFiles[this.#path] !== undefined || this.#closed) return
    this.#reopen = true
    if (this.#writing) return
    if (this.#filled === 0) this.#reopenNow()
    else this.#flush()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.flush()
    if (standardFiles[this.#path] === undefined) this.#calls.close(this.#file)
  }

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined
    if (this.#writing || this.#filled === 0) return
    this.stats.flushed_by_timer++
    this.#flush()
  }

  #open(): number {
    try {
      return standardFiles[this.#path] ?? this.#calls.open(this.#path)
    } catch (error) {
      throw new MeshError<SinkCode>('telemetry/cannot-open-log', `cannot open the ${this.#what} ${this.#path}; does its folder exist, and may the proxy write there?`, error)
    }
  }

  #flush(): void {
    const bytes = this.#filling!
    const length = this.#filled
    const lines = this.#lines
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#filling = this.#spare
    this.#filled = 0
    this.#lines = 0
    this.#waiting = this.#waitingNext
    this.#waitingNext = []
    this.#writing = true
    this.#writeAll(bytes, 0, length, maxRetries, (error) => this.#onWritten(bytes, lines, error))
  }

  #writeAll(bytes: Buffer, at: number, length: number, retries: number, done: (error: Error | undefined) => void): void {
    this.#calls.write(this.#file, bytes, at, length, (error, written) => {
      if (error?.code === 'EAGAIN' && retries > 0) {
        this.#clock.after(retryMs, () => this.#writeAll(bytes, at, length, retries - 1, done))
        return
      }
      if (error !== null) return done(error)
      if (written < length) return this.#writeAll(bytes, at + written, length - written, maxRetries, done)
      done(undefined)
    })
  }

  #onWritten(bytes: Buffer, lines: number, error: Error | undefined): void {
    this.#spare = bytes
    this.#writing = false
    if (error === undefined) {
      this.stats.write_completed++
      this.#failing = false
    } else this.#onFailure(lines, error)
    if (this.#reopen) this.#reopenNow()
    for (const resolve of this.#waiting) resolve()
    this.#waiting = []
    if (this.#filled >= this.#flushBytes || this.#waitingNext.length > 0) this.#flush()
    else if (this.#filled > 0) this.#cancelTimer ??= this.#clock.after(this.#flushMs, this.#onTimer)
  }

  #onFailure(lines: number, error: Error): void {
    this.stats.write_failed++
    this.#drop(lines)
    if (!this.#failing) this.#onProblem(`${this.#what} ${this.#path}: ${lines} lines are lost: ${describe(error)}`)
    this.#failing = true
  }

  #drop(lines: number): void {
    this.stats.dropped += lines
  }

  /** The old file stays in use where a new one cannot be opened. */
  #reopenNow(): void {
    this.#reopen = false
    const old = this.#file
    try {
      this.#file = this.#open()
      this.#calls.close(old)
    } catch (error) {
      this.stats.reopen_failed++
      this.#onProblem(describe(error))
    }
  }
}
