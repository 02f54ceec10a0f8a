// Copies bytes between two transports until both directions have ended: half-close, back-pressure, an idle limit. Knows
// nothing of clusters or listeners.
import type { Clock } from '../../lib/clock.ts'
import type { Transport, TransportHandler } from '../../net/transport.ts'

export type ForwardEnd = 'finished' | 'downstream-closed' | 'upstream-closed' | 'idle' | 'ended-by-proxy'

export interface ForwardResult {
  readonly end: ForwardEnd
  readonly error: Error | undefined
  /** From the client, and to it. */
  readonly received: number
  readonly sent: number
}

/** One direction: what is read from `from` is written to `to`. */
interface Direction extends TransportHandler {
  bytes: number
  ended: boolean
}

export class Forward {
  readonly #downstream: Transport
  readonly #upstream: Transport
  readonly #clock: Clock
  readonly #idleMs: number
  readonly #done: (result: ForwardResult) => void
  readonly #up: Direction
  readonly #down: Direction
  #lastByte: number
  #cancelIdle: () => void = () => {}
  #over = false
  #closed = 0

  /** Starts at once. `idleMs` of 0: no limit. `done` is called once, when both transports are closed or closing. */
  constructor(downstream: Transport, upstream: Transport, clock: Clock, idleMs: number, done: (result: ForwardResult) => void) {
    this.#downstream = downstream
    this.#upstream = upstream
    this.#clock = clock
    this.#idleMs = idleMs
    this.#done = done
    this.#lastByte = clock.now()
    this.#up = this.#direction(downstream, upstream, 'downstream-closed')
    this.#down = this.#direction(upstream, downstream, 'upstream-closed')
    downstream.handler = this.#up
    upstream.handler = this.#down
    this.#watchIdle()
    downstream.resume()
    upstream.resume()
  }

  /** Bytes so far: from the client, and to it. */
  get received(): number {
    return this.#up.bytes
  }

  get sent(): number {
    return this.#down.bytes
  }

  /** Ends both sides now. */
  close(): void {
    this.#finish('ended-by-proxy', undefined)
  }

  #direction(from: Transport, to: Transport, closed: ForwardEnd): Direction {
    const direction: Direction = {
      bytes: 0,
      ended: false,
      onData: (bytes, length) => {
        direction.bytes += length
        this.#lastByte = this.#clock.now()
        if (!to.write(bytes, 0, length)) from.pause()
      },
      // What was queued on `from` is written: the other direction may be read again.
      onDrain: () => to.resume(),
      onEnd: () => {
        direction.ended = true
        to.end()
      },
      onClose: (error) => this.#onClose(closed, error),
    }
    return direction
  }

  /** If both sides had finished sending, the second one closes by itself when its queue is written. */
  #onClose(closed: ForwardEnd, error: Error | undefined): void {
    const clean = this.#up.ended && this.#down.ended && error === undefined
    if (!clean) return this.#finish(closed, error)
    this.#closed++
    if (this.#closed === 2) this.#finish('finished', undefined)
  }

  #finish(end: ForwardEnd, error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#cancelIdle()
    if (end !== 'finished') {
      this.#downstream.destroy(error !== undefined)
      this.#upstream.destroy(error !== undefined)
    }
    this.#done({ end, error, received: this.#up.bytes, sent: this.#down.bytes })
  }

  /** One timer that looks at the last byte when it fires, instead of one that every byte moves. */
  #watchIdle(): void {
    if (this.#idleMs === 0 || this.#over) return
    const left = this.#lastByte + this.#idleMs - this.#clock.now()
    if (left <= 0) return this.#finish('idle', undefined)
    this.#cancelIdle = this.#clock.after(left, () => this.#watchIdle())
  }
}
