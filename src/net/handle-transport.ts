// A Transport on raw stream handles, TCP or TLS: one shared read buffer, no stream objects. How it writes is in handle-writer.ts,
// who owns the connection's life (FIN, close, errors) in connection-life.ts. TLS hands out data that it has decrypted already even
// after readStop: it is held until resume.
import type { Address } from '../model/address.ts'
import type { ConnectionLife } from './connection-life.ts'
import { connectionError, endOfFile } from './errors.ts'
import type { HandleIo } from './handle-io.ts'
import { HandleWriter, added, none } from './handle-writer.ts'
import type { StreamHandle } from './stream-handles.ts'
import type { Connected } from './transport-options.ts'
import type { TlsInfo, Transport } from './transport.ts'
import { enterTurn, leaveTurn } from './turn.ts'
import { unconfirmedAt } from './unconfirmed.ts'

/** What a transport needs to know beside its handle. */
export interface Carried extends Omit<Connected, 'socket' | 'raw'> {
  readonly life: ConnectionLife
  /** Below TLS. */
  readonly carrier?: StreamHandle | undefined
}

export class HandleTransport extends HandleWriter implements Transport {
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly tls: TlsInfo | undefined
  readonly #carrier: StreamHandle | undefined
  #reading = false
  /** Read before its time: early bytes, or what TLS had decrypted when reading was stopped. */
  #held: Buffer[] = none
  #deliveryScheduled = false
  #ended = false
  #endTold = false
  #finished = false

  /** Nothing is read before `resume`, but `handle` is its own from now on: see `HandleIo.own`. */
  constructor(io: HandleIo, handle: StreamHandle, { life, carrier, tls, early, ended, localAddress, remoteAddress }: Carried) {
    super(io, handle, life)
    this.tls = tls
    this.#carrier = carrier
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    this.#ended = ended
    if (early !== undefined) this.hold(early)
  }

  /** To be delivered before anything that is read. */
  hold(early: Buffer): void {
    if (early.length > 0) this.#held = added(this.#held, early)
  }

  /** The connection is closed already: its owner hears so. */
  abandon(error: Error | undefined): void {
    this.destroyed = true
    this.error = error
    process.nextTick(() => this.onClosed())
  }

  /** TLS tells of a completed write in the next turn, when the answer may be here already: the carrier knows earlier. */
  get writableLength(): number {
    const taken = this.inFlight > 0 && this.#carrier?.writeQueueSize === 0
    return taken ? this.queuedLength() - this.inFlight : this.queuedLength()
  }

  /**
   * A FIN confirms what has come before it; a reset does not, so that after one only what the kernel did not take counts.
   * What is in flight may be with the kernel in part.
   */
  untaken(): number {
    const kept = this.inFlight > 0 ? 0 : this.refused + this.queuedLength()
    return this.#ended ? kept + (unconfirmedAt(this.life.descriptor(this.handle)) ?? 0) : kept
  }

  /** What was written before goes out if it can go at once, as it would on a socket. */
  destroy(reset = false): void {
    if (this.destroyed) return
    if (this.dirty && !reset && this.error === undefined) this.flush()
    this.destroyed = true
    this.dropQueue()
    this.#held = none
    this.life.close(this.handle, reset, this.finishing && !this.#finished)
  }

  // --- Reading ---

  resume(): void {
    if (this.#reading || this.destroyed) return
    this.#reading = true
    if (this.#held.length > 0 || this.#ended) this.#scheduleDelivery()
    else this.#startReading()
  }

  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    if (!this.destroyed && !this.#ended) this.handle.readStop()
  }

  onBytes(length: number): void {
    if (this.destroyed) return
    if (this.#reading && this.#held.length === 0) this.handler.onData(this.io.buffer, length)
    else this.hold(Buffer.from(this.io.buffer.subarray(0, length)))
  }

  onReadError(error: number): void {
    if (this.destroyed) return
    if (error !== endOfFile) return this.failNumber(error)
    this.#ended = true
    if (this.#reading && this.#held.length === 0) this.#tellEnd()
  }

  #startReading(): void {
    const error = this.handle.readStart()
    if (error !== 0) this.failNumber(error)
  }

  #scheduleDelivery(): void {
    if (this.#deliveryScheduled) return
    this.#deliveryScheduled = true
    process.nextTick(() => {
      this.#deliveryScheduled = false
      enterTurn()
      try {
        this.#deliverHeld()
      } finally {
        leaveTurn()
      }
    })
  }

  #deliverHeld(): void {
    while (this.#reading && !this.destroyed) {
      const next = this.#held[0]
      if (next === undefined) break
      this.handler.onData(next, next.length)
      this.#held.shift()
    }
    if (!this.#reading || this.destroyed) return
    if (this.#ended) this.#tellEnd()
    else this.#startReading()
  }

  #tellEnd(): void {
    if (this.#endTold) return
    this.#endTold = true
    this.handler.onEnd()
    this.#closeWhenBothEnded()
  }

  // --- Life ---

  onFailed(error: Error): void {
    this.error ??= error
  }

  onFinished(): void {
    this.#finished = true
    this.#closeWhenBothEnded()
  }

  #closeWhenBothEnded(): void {
    if (this.#endTold && this.#finished) this.destroy()
  }

  protected fail(error: Error): void {
    this.error ??= error
    this.handler.onBroken?.()
    this.destroy()
  }

  onClosed(): void {
    this.destroyed = true
    this.dropQueue()
    const error = this.error
    const named = error === undefined || ('code' in error && String(error.code).startsWith('net/'))
    this.handler.onClose(named ? error : connectionError(error))
  }
}
