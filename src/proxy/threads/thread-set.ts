// The other threads of a proxy, as the first one has them: each is told what was accepted, asked what it has counted, drained
// and ended with the proxy. One that breaks is replaced; its connections are lost, those of the others are not.
//
//   starting ──ready──> serving ──breaks──> (backoff) ──> starting
import { createBackoff } from '../../lib/backoff.ts'
import type { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { formatAddress } from '../../model/address.ts'
import type { ListenSet, BoundSocket } from '../../net/listen-set.ts'
import type { AuditEvent } from '../../telemetry/audit/events.ts'
import type { Secrets } from '../identity/secrets.ts'
import type { XdsUpdate } from '../main-updates.ts'
import { resourceTypes } from '../xds/accepted.ts'
import type { AcceptedByType, ResourceType } from '../xds/accepted.ts'
import type { FromThread, PlainUpdate, ThreadHandle, ToThread } from './link.ts'
import { addedUp, withoutGauges } from './report.ts'
import type { Counted, ThreadReport } from './report.ts'
import type { SharedNumbers } from './shared-numbers.ts'

export interface ThreadSetParts {
  /** Beside the first thread. */
  readonly count: number
  /**
   * `number` counts from 1. `gone`: of the sockets that it was to inherit, those that a thread before it in this place has
   * taken with it; `all` once one was ready, which has let go what nobody wanted.
   */
  spawn(number: number, gone: readonly BoundSocket[] | 'all'): ThreadHandle
  readonly clock: Clock
  readonly identity: Secrets
  /** Of the first thread. */
  readonly sockets: ListenSet
  readonly numbers?: SharedNumbers
  log(line: string): void
  audit(event: AuditEvent): void
  missingKey?(source: string): void
}

/** A thread that breaks whenever it starts must not take the machine with it. */
const firstRetryMs = 250
const maxRetryMs = 30_000
/** One that has lasted so long starts with a short wait again. */
const goodAfterMs = 60_000

/** A thread that is busy for so long is shown as it was before. */
const reportMs = 1_000
/** Beyond the time for a drain, for what a thread needs to end. */
const endMs = 2_000

/** What a new thread has to know, in the order in which the plan needs it. */
const replayOrder: readonly ResourceType[] = ['clusters', 'endpoints', 'secrets', 'listeners', 'routes']

export interface ThreadReports {
  readonly threads: readonly ThreadReport[]
  /** With what was counted by threads that are gone. */
  readonly counted: readonly Counted[]
}

interface Thread {
  readonly number: number
  readonly backoff: Backoff
  handle: ThreadHandle
  startedAt: number
  sockets: readonly BoundSocket[]
  gone: readonly BoundSocket[] | 'all'
  report: ThreadReport | undefined
  /** Called with the next message of that kind, or when the thread has gone. */
  readonly waiting: Map<FromThread['kind'], ((message: FromThread | undefined) => void)[]>
}

export class ThreadSet {
  readonly whenReady: Promise<void>
  readonly #parts: ThreadSetParts
  readonly #accepted: AcceptedByType
  readonly #threads: Thread[] = []
  /** What those that broke had counted. */
  #gone: Counted | undefined
  readonly #stopListening: () => void
  readonly #cancelRetries = new Set<() => void>()
  #ending = false

  /** `accepted` is what the first thread has: threads that come later are told. */
  constructor(parts: ThreadSetParts, accepted: AcceptedByType) {
    this.#parts = parts
    this.#accepted = accepted
    if (parts.numbers !== undefined) parts.numbers.tell = (message) => this.#tellAll(message)
    parts.sockets.onChange = () => this.#tellAll(this.#bound())
    this.#stopListening = parts.identity.onChange(() => this.#tellAll(this.#identity()))
    for (let number = 1; number <= parts.count; number++) {
      const thread: Thread = {
        number, backoff: createBackoff({ firstMs: firstRetryMs, maxMs: maxRetryMs }), handle: parts.spawn(number, []), startedAt: 0, sockets: [], gone: [], report: undefined, waiting: new Map(),
      }
      this.#threads.push(thread)
      this.#begin(thread)
    }
    this.whenReady = Promise.all(this.#threads.map((thread) => this.#next(thread, 'ready'))).then(() => {})
  }

  /** The listening sockets of all of them. */
  get sockets(): readonly BoundSocket[] {
    return this.#threads.flatMap(({ sockets }) => sockets)
  }

  /** What the first thread has just taken, bad resources and all: the others come to the same verdict. */
  feed(update: XdsUpdate): void {
    if (update.typeUrl === resourceTypes.clusters) this.#parts.numbers?.keepClusters(this.#accepted.clusters.accepted)
    this.#tellAll({ kind: 'update', update: plainUpdate(update) })
  }

  reopenLogs(): void {
    this.#tellAll({ kind: 'reopen-logs' })
  }

  /** Of each, and what those that broke had counted. */
  async reports(): Promise<ThreadReports> {
    await Promise.all(this.#threads.map(async (thread) => {
      const answer = this.#next(thread, 'report', reportMs)
      thread.handle.send({ kind: 'report' })
      await answer
    }))
    const threads = this.#threads.flatMap(({ report }) => report ?? [])
    return { threads, counted: this.#gone === undefined ? threads : [...threads, this.#gone] }
  }

  /** Resolves with the number of connections that were left. */
  drain(timeoutMs: number): Promise<number> {
    this.#ending = true
    return this.#drainAll(timeoutMs, false)
  }

  drainInbound(timeoutMs: number): Promise<number> {
    return this.#drainAll(timeoutMs, true)
  }

  async #drainAll(timeoutMs: number, inboundOnly: boolean): Promise<number> {
    const left = await Promise.all(this.#threads.map(async (thread) => {
      const drained = this.#next(thread, 'drained', timeoutMs + endMs)
      thread.handle.send({ kind: 'drain', timeoutMs, inboundOnly })
      const answer = await drained
      return answer?.kind === 'drained' ? answer.left : 0
    }))
    return left.reduce((sum, one) => sum + one, 0)
  }

  /** Drained before: what is left is cut off. */
  async close(): Promise<void> {
    this.#ending = true
    this.#stopListening()
    for (const cancel of this.#cancelRetries) cancel()
    await Promise.all(this.#threads.map(async (thread) => {
      const closed = this.#next(thread, 'closed', endMs)
      thread.handle.send({ kind: 'close' })
      await closed
      thread.handle.end()
    }))
  }

  #begin(thread: Thread): void {
    const { handle } = thread
    thread.startedAt = this.#parts.clock.now()
    handle.onMessage = (message) => this.#onMessage(thread, message)
    handle.onExit = (reason) => this.#onExit(thread, reason)
    handle.send(this.#identity())
    handle.send(this.#bound())
    for (const message of this.#parts.numbers?.all() ?? []) handle.send(message)
    for (const type of replayOrder) {
      const resources = [...this.#accepted[type].accepted.values()]
      if (resources.length > 0 || this.#accepted[type].version !== '') {
        handle.send({ kind: 'update', update: plainUpdate({ typeUrl: resourceTypes[type], version: this.#accepted[type].version, resources, removed: [] }) })
      }
    }
  }

  #onMessage(thread: Thread, message: FromThread): void {
    if (message.kind === 'log') this.#parts.log(`thread ${thread.number}: ${message.line}`)
    else if (message.kind === 'audit') this.#parts.audit(message.event)
    else if (message.kind === 'missing-key') this.#parts.missingKey?.(message.source)
    else if (message.kind === 'sockets') thread.sockets = message.sockets
    else if (message.kind === 'ready') thread.gone = 'all'
    else if (message.kind === 'outlier-row' || message.kind === 'outlier') this.#parts.numbers?.take(message)
    else if (message.kind === 'report') thread.report = message.report
    this.#settle(thread, message.kind, message)
  }

  #onExit(thread: Thread, reason: string): void {
    if (thread.gone !== 'all') thread.gone = [...thread.gone, ...thread.sockets]
    thread.sockets = []
    this.#parts.numbers?.threadGone(thread.number)
    if (thread.report !== undefined) this.#gone = addedUp([...(this.#gone === undefined ? [] : [this.#gone]), withoutGauges(thread.report)])
    thread.report = undefined
    for (const kind of thread.waiting.keys()) if (kind !== 'ready') this.#settle(thread, kind, undefined)
    if (this.#ending) return
    const { clock } = this.#parts
    if (clock.now() - thread.startedAt >= goodAfterMs) thread.backoff.reset()
    const waitMs = thread.backoff.next()
    this.#parts.log(`thread ${thread.number} has ended, its connections are lost: ${reason}; another one takes its place in ${Math.round(waitMs)} ms`)
    const cancel = clock.after(waitMs, () => {
      this.#cancelRetries.delete(cancel)
      thread.handle = this.#parts.spawn(thread.number, thread.gone)
      this.#begin(thread)
    })
    this.#cancelRetries.add(cancel)
  }

  #identity(): ToThread {
    const { identity } = this.#parts
    return { kind: 'identity', certificate: identity.certificate('default'), trust: identity.trust('ROOTCA') }
  }

  #bound(): ToThread {
    return { kind: 'bound', addresses: this.#parts.sockets.sockets.map(({ address }) => formatAddress(address)) }
  }

  #tellAll(message: ToThread): void {
    for (const { handle } of this.#threads) handle.send(message)
  }

  /** The next message of that kind; undefined when it does not come in time, or not at all. */
  #next(thread: Thread, kind: FromThread['kind'], withinMs?: number): Promise<FromThread | undefined> {
    return new Promise((resolve) => {
      const cancel = withinMs === undefined ? () => {} : this.#parts.clock.after(withinMs, () => resolve(undefined))
      const waiting = thread.waiting.get(kind) ?? []
      waiting.push((message) => {
        cancel()
        resolve(message)
      })
      thread.waiting.set(kind, waiting)
    })
  }

  #settle(thread: Thread, kind: FromThread['kind'], message: FromThread | undefined): void {
    for (const settle of thread.waiting.get(kind)?.splice(0) ?? []) settle(message)
  }
}

/** Bytes of their own: a view would be sent with all that lies around it. */
function plainUpdate({ typeUrl, version, resources, removed }: XdsUpdate): PlainUpdate {
  return { typeUrl, version, removed, resources: resources.map(({ name, version: own, any }) => ({ name, version: own, bytes: any.value.slice() })) }
}
