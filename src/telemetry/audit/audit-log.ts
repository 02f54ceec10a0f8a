// The audit log of one process: JSON lines, numbered, in a file that only grows until it moves aside. A disk that is full or
// slow stops no traffic: events are dropped then, which is said aloud, counted, and written down as soon as it is over.
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { LogFile } from '../sink/log-file.ts'
import type { FileCalls } from '../sink/log-file.ts'
import { rotatingCalls } from '../sink/rotating-calls.ts'
import type { Rotation } from '../sink/rotating-calls.ts'
import type { AuditCounts, AuditEvent, WriteAudit } from './events.ts'

export interface AuditLogOptions {
  /** 16 MiB is some 40,000 events; with nine files that moved aside, 160 MiB at most. */
  readonly rotation?: Rotation
  /** What may wait for the disk, twice: some 5,000 events. */
  readonly bufferBytes?: number
  readonly clock?: Clock
  /** Loud: events are being lost, or the file cannot be rotated. */
  readonly alarm?: (message: string) => void
  /** Instead of the file system. */
  readonly calls?: FileCalls
}

export interface AuditLog extends AsyncDisposable {
  /** `source`: who writes, such as `control` or the node id of a proxy. */
  writer(source: string): WriteAudit
  readonly stats: AuditCounts
  /** After the file was moved away. */
  reopen(): void
  flush(): Promise<void>
  close(): Promise<void>
}

const defaultRotation: Rotation = { maxBytes: 16 * 1024 * 1024, keep: 9 }
const defaultBufferBytes = 1024 * 1024
/** While events are lost it is said this often. */
const alarmEveryMs = 10_000
/** Whatever a peer sent: no text of it is longer in the log. */
const maxTextLength = 1_024

/** Throws `telemetry/cannot-open-log`: who asks for an audit log does not run without one. */
export function openAuditLog(path: string, options: AuditLogOptions = {}): AuditLog {
  return new FileAuditLog(path, options)
}

class FileAuditLog implements AuditLog {
  readonly #file: LogFile
  readonly #clock: Clock
  readonly #alarm: (message: string) => void
  #number = 0
  /** Of the losses that the file counts, those that the log knows of. */
  #lostSaid = 0
  #alarmedAt = -Infinity

  constructor(path: string, { rotation = defaultRotation, bufferBytes = defaultBufferBytes, clock = systemClock, alarm = () => {}, calls }: AuditLogOptions) {
    this.#clock = clock
    this.#alarm = alarm
    const rotating = rotatingCalls(path, rotation, () => this.#file.reopen(), (error) => alarm(`audit log ${path} cannot be moved aside and grows on: ${describe(error)}`))
    this.#file = new LogFile(path, { clock, what: 'audit log', bufferBytes, calls: calls ?? rotating, onProblem: (message) => alarm(message) })
  }

  get stats(): AuditCounts {
    const { dropped } = this.#file.stats
    return { written: this.#number - dropped, lost: dropped }
  }

  writer(source: string): WriteAudit {
    return (event) => {
      this.#sayLost(source)
      this.#write(source, event)
      this.#alarmOfLoss()
    }
  }

  reopen(): void {
    this.#file.reopen()
  }

  flush(): Promise<void> {
    return this.#file.flush()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #write(source: string, event: AuditEvent): void {
    this.#file.write(lineOf({ time: new Date(this.#clock.now()).toISOString(), number: ++this.#number, source, ...event }))
  }

  /** Written once there is room again; when this line is lost as well, the next one says more. */
  #sayLost(source: string): void {
    const { dropped } = this.#file.stats
    if (dropped === this.#lostSaid) return
    this.#write(source, { event: 'events-lost', count: dropped - this.#lostSaid })
    if (this.#file.stats.dropped === dropped) this.#lostSaid = dropped
  }

  #alarmOfLoss(): void {
    const lost = this.#file.stats.dropped - this.#lostSaid
    if (lost === 0 || this.#clock.now() - this.#alarmedAt < alarmEveryMs) return
    this.#alarmedAt = this.#clock.now()
    this.#alarm(`AUDIT EVENTS ARE LOST (${lost} since the last good line): the disk is full or too slow; traffic goes on`)
  }
}

/** A whole line of ASCII: what a peer sent cannot end it, nor look like another one. */
function lineOf(fields: object): string {
  const text = JSON.stringify(fields, (_, value: unknown) => (typeof value === 'string' && value.length > maxTextLength ? `${value.slice(0, maxTextLength)}...` : value))
  return `${text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}
