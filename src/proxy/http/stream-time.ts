// The time limits of one request: how long its answer may take, how long it may be silent, when all of it has to be over.
// It says which of them is reached; what happens then is the stream's. A base and not a part of its own: every request has
// one, and needs no second object for it.
import type { Due } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import { maxDurationAfterRequest, maxDurationReached, requestTimeout, streamIdle, streamIdleAfterRequest } from './rescue.ts'
import { durationOf } from './router/stream-duration.ts'
import type { HttpRuntime } from './runtime.ts'

export abstract class StreamTime implements Due {
  readonly exchange: Exchange
  readonly runtime: HttpRuntime
  listIndex = -1
  /** 0: none. */
  #timeoutMs = 0
  #deadline = Infinity
  /** When all of it has to be over. */
  #endsAt = Infinity
  /** 0: it may. */
  #idleMs = 0
  #lastActive = 0

  constructor(runtime: HttpRuntime, exchange: Exchange) {
    this.runtime = runtime
    this.exchange = exchange
  }

  abstract get ended(): boolean
  abstract onTick(now: number): void
  abstract nextDue(): number

  /** There is a limit; UpstreamTries says so of its own. */
  watchTime(): void {
    if (!this.ended) this.runtime.deadlines.add(this)
  }

  protected limitSilence(): void {
    this.#idleMs = this.runtime.config.streamIdleTimeoutMs
    this.#lastActive = this.exchange.startTime
    if (this.#idleMs > 0) this.watchTime()
  }

  /** Bytes have come or gone. */
  protected notSilent(): void {
    if (this.#idleMs > 0) this.#lastActive = this.runtime.deps.clock.now()
  }

  /** By its route, or else by the listener. */
  protected limitDuration(): void {
    const { exchange, runtime } = this
    const duration = exchange.route?.action.kind === 'forward' ? exchange.route.action.duration : undefined
    const { maxStreamDurationMs } = runtime.config
    if (duration === undefined && maxStreamDurationMs <= 0) return
    const ms = duration === undefined ? maxStreamDurationMs : durationOf(duration, exchange.requestHeaders, maxStreamDurationMs)
    this.#endsAt = exchange.startTime + ms
    if (ms !== Infinity) this.watchTime()
  }

  /** From the end of the request to the end of the response, all tries together; 0: as long as it likes. */
  limitTime(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs
    if (this.exchange.requestComplete) this.startTimeout()
  }

  /** Of the limit for all tries; all of it as long as it has not begun. */
  timeLeftMs(): number {
    return Math.min(this.#timeoutMs, this.#deadline - this.runtime.deps.clock.now())
  }

  /** The request has ended. */
  protected startTimeout(): void {
    if (this.#timeoutMs <= 0) return
    this.#deadline = this.runtime.deps.clock.now() + this.#timeoutMs
    this.watchTime()
  }

  protected firstLimit(): number {
    const first = Math.min(this.#deadline, this.#endsAt)
    return this.#idleMs > 0 ? Math.min(first, this.#lastActive + this.#idleMs) : first
  }

  /** What the client is told if a limit is reached. */
  protected timeUp(now: number): LocalReply | undefined {
    const { requestComplete } = this.exchange
    if (now >= this.#deadline) return requestTimeout
    if (now >= this.#endsAt) return requestComplete ? maxDurationAfterRequest : maxDurationReached
    if (this.#idleMs > 0 && now - this.#lastActive >= this.#idleMs) return requestComplete ? streamIdleAfterRequest : streamIdle
    return undefined
  }
}
