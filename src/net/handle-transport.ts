// A Transport on raw stream handles, TCP or TLS: one shared read buffer, no stream objects, and one write call for
// all that was written in a turn of the event loop.
// Who owns the connection's life (FIN, close, errors) is in connection-life.ts. Rules that keep it safe:
// - One write in flight per handle: a second one on a TLS handle aborts the process. The rest queues here.
// - Bytes are copied into blocks of our own, since a write that did not finish at once still reads from them; not so on TLS.
// - TLS hands out data that it has decrypted already even after readStop: it is held until resume.
import type { Address } from '../model/address.ts'
import { blockBytes, giveBlock, takeBlock } from './blocks.ts'
import type { ConnectionLife } from './connection-life.ts'
import { brokenBy, connectionError, endOfFile, netError } from './errors.ts'
import type { HandleIo } from './handle-io.ts'
import type { HandleOwner, StreamHandle, WriteRequest } from './stream-handles.ts'
import { highWaterBytes, maxQueuedBytes, silentHandler } from './transport-options.ts'
import type { Connected } from './transport-options.ts'
import type { TlsInfo, Transport, TransportHandler } from './transport.ts'
import { enterTurn, flushAtEndOfTurn, leaveTurn } from './turn.ts'
import type { Flushable } from './turn.ts'
import { unconfirmedAt } from './unconfirmed.ts'

/** What a transport needs to know beside its handle. */
export interface Carried extends Omit<Connected, 'socket' | 'raw'> {
  readonly life: ConnectionLife
  /** Below TLS. */
  readonly carrier?: StreamHandle | undefined
}

/** Of all transports that hold none: never added to. Most of the time that is all of them, and a list for each takes 64 bytes. */
const none: Buffer[] = []

/** A plain array of bytes for the call: to make a Buffer takes twice as long. */
const viewOf = (block: Buffer, length: number): Uint8Array => new Uint8Array(block.buffer, block.byteOffset, length)

function added(list: Buffer[], one: Buffer): Buffer[] {
  if (list === none) return [one]
  list.push(one)
  return list
}

export class HandleTransport implements Transport, HandleOwner, Flushable {
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly tls: TlsInfo | undefined
  handler: TransportHandler = silentHandler
  readonly #io: HandleIo
  readonly #handle: StreamHandle
  readonly #life: ConnectionLife
  readonly #carrier: StreamHandle | undefined

  // Reading
  #reading = false
  /** Read before its time: early bytes, or what TLS had decrypted when reading was stopped. */
  #held: Buffer[] = none
  #deliveryScheduled = false
  #ended = false
  #endTold = false

  // Writing: full blocks, the block being filled, and what the kernel or OpenSSL has now.
  #full: Buffer[] = none
  #block: Buffer | undefined
  #blockUsed = 0
  #inFlight = 0
  #inFlightBlocks: readonly Buffer[] = none
  /** Of a write that failed. */
  #refused = 0
  #calling = false
  #dirty = false
  #waiting = false
  #ending = false
  #finishing = false
  #finished = false

  #destroyed = false
  #error: Error | undefined

  /** Nothing is read before `resume`, but `handle` is its own from now on: see `HandleIo.own`. */
  constructor(io: HandleIo, handle: StreamHandle, { life, carrier, tls, early, ended, localAddress, remoteAddress }: Carried) {
    this.#io = io
    this.#handle = handle
    this.#life = life
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
    this.#destroyed = true
    this.#error = error
    process.nextTick(() => this.onClosed())
  }

  /** TLS tells of a completed write in the next turn, when the answer may be here already: the carrier knows earlier. */
  get writableLength(): number {
    const taken = this.#inFlight > 0 && this.#carrier?.writeQueueSize === 0
    return taken ? this.#queuedLength() - this.#inFlight : this.#queuedLength()
  }

  /** Until we are told that it is written. No getter: V8 reads a private one by a call into its runtime, several a write. */
  #queuedLength(): number {
    return this.#inFlight + this.#full.length * blockBytes + this.#blockUsed
  }

  get destroyed(): boolean {
    return this.#destroyed
  }

  /**
   * A FIN confirms what has come before it; a reset does not, so that after one only what the kernel did not take counts.
   * What is in flight may be with the kernel in part.
   */
  untaken(): number {
    const kept = this.#inFlight > 0 ? 0 : this.#refused + this.#queuedLength()
    return this.#ended ? kept + (unconfirmedAt(this.#life.descriptor(this.#handle)) ?? 0) : kept
  }

  // --- Writing ---

  writeLatin1(text: string): boolean {
    if (this.#destroyed || this.#ending) return false
    const length = text.length
    const block = this.#block ?? this.#openBlock()
    if (length <= blockBytes - this.#blockUsed) {
      block.write(text, this.#blockUsed, 'latin1')
      this.#blockUsed += length
      return this.#afterWrite()
    }
    const bytes = Buffer.from(text, 'latin1')
    return this.write(bytes, 0, bytes.length)
  }

  write(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.#destroyed || this.#ending) return false
    for (let from = at; from < end; ) {
      const block = this.#block ?? this.#openBlock()
      const length = Math.min(end - from, blockBytes - this.#blockUsed)
      block.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), this.#blockUsed)
      this.#blockUsed += length
      from += length
      if (this.#blockUsed === blockBytes) this.#closeBlock()
      if (this.#destroyed) return false
    }
    return this.#afterWrite()
  }

  /** What is in the open block has not gone. */
  amend(back: number, byte: number): boolean {
    if (this.#block === undefined || back > this.#blockUsed) return false
    this.#block[this.#blockUsed - back] = byte
    return true
  }

  end(): void {
    if (this.#destroyed || this.#ending) return
    this.#ending = true
    this.#markDirty()
  }

  /** What was written before goes out if it can go at once, as it would on a socket. */
  destroy(reset = false): void {
    if (this.#destroyed) return
    if (this.#dirty && !reset && this.#error === undefined) this.#flush()
    this.#destroyed = true
    this.#dropQueue()
    this.#held = none
    this.#life.close(this.#handle, reset, this.#finishing && !this.#finished)
  }

  #openBlock(): Buffer {
    this.#blockUsed = 0
    return (this.#block = takeBlock())
  }

  /** The block is full: it goes out now if nothing is on its way, so that long writes do not pile up. */
  #closeBlock(): void {
    this.#full = added(this.#full, this.#block!)
    this.#block = undefined
    this.#blockUsed = 0
    if (this.#inFlight === 0) this.#flush()
    else if (this.#queuedLength() > maxQueuedBytes) this.#overflow()
  }

  #overflow(): void {
    this.#fail(netError('net/queue-full', `more than ${maxQueuedBytes} bytes wait to be written`))
  }

  #afterWrite(): boolean {
    if (this.#destroyed) return false
    this.#markDirty()
    if (this.#queuedLength() < highWaterBytes) return true
    this.#waiting = true
    return false
  }

  #markDirty(): void {
    if (this.#dirty) return
    this.#dirty = true
    flushAtEndOfTurn(this)
  }

  flushTurn(): void {
    this.#dirty = false
    this.#flush()
    this.#settle()
  }

  #flush(): void {
    while (this.#inFlight === 0 && !this.#destroyed && !this.#calling) {
      const last = this.#blockUsed > 0 ? this.#block : undefined
      const used = this.#blockUsed
      if (last !== undefined) {
        this.#block = undefined
        this.#blockUsed = 0
      }
      if (this.#full.length > 0) this.#sendAll(last, used)
      else if (last !== undefined) this.#sendOne(last, used)
      else return
    }
  }

  /** Nearly every message: no lists for it. The state is set before the call: a TLS write may complete inside it. */
  #sendOne(block: Buffer, length: number): void {
    const request = this.#io.takeRequest(this)
    this.#inFlight = length
    this.#calling = true
    const error = this.#handle.writeBuffer(request, viewOf(block, length))
    this.#calling = false
    if (this.#isStillRead(request, error)) this.#holdBlocks(request, [block])
    else giveBlock(block)
  }

  #sendAll(last: Buffer | undefined, used: number): void {
    const blocks = this.#full
    const views: Uint8Array[] = blocks.slice()
    this.#full = none
    this.#inFlight = blocks.length * blockBytes
    if (last !== undefined) {
      blocks.push(last)
      views.push(viewOf(last, used))
      this.#inFlight += used
    }
    const request = this.#io.takeRequest(this)
    this.#calling = true
    const error = this.#handle.writev(request, views, true)
    this.#calling = false
    if (this.#isStillRead(request, error)) this.#holdBlocks(request, blocks)
    else for (const block of blocks) giveBlock(block)
  }

  /** What came of a write call. True: the kernel goes on reading from its blocks. */
  #isStillRead(request: WriteRequest, error: number): boolean {
    if (error === 0 && request.owner === undefined) return false // completed inside the call
    if (error === 0 && this.#io.wroteAsync) return this.tls === undefined // OpenSSL has encrypted, or node has copied them
    const length = this.#inFlight
    this.#inFlight = 0
    if (error === 0) this.#io.giveRequest(request)
    else {
      if (this.tls === undefined) this.#refused = length
      this.#failNumber(error)
    }
    return false
  }

  #holdBlocks(request: WriteRequest, blocks: readonly Buffer[]): void {
    request.bytes = blocks
    this.#inFlightBlocks = blocks
  }

  /** What was in flight is no more; its memory is ours again. */
  #written(): void {
    this.#inFlight = 0
    const blocks = this.#inFlightBlocks
    if (blocks === none) return
    this.#inFlightBlocks = none
    for (const block of blocks) giveBlock(block)
  }

  onWritten(status: number): void {
    this.#written()
    if (this.#destroyed) return
    if (status < 0) return this.#failNumber(status)
    if (this.#ending || this.#waiting || this.#queuedLength() > 0) this.#markDirty()
  }

  /** After a flush: FIN when the last byte is out, and the word to a writer that waits. */
  #settle(): void {
    if (this.#destroyed || this.#queuedLength() > 0) return
    if (this.#ending && !this.#finishing) {
      this.#finishing = true
      this.#life.finish(this.#handle)
    }
    if (!this.#waiting) return
    this.#waiting = false
    this.handler.onDrain()
  }

  #dropQueue(): void {
    for (const block of this.#full) giveBlock(block)
    this.#full = none
    if (this.#block !== undefined) giveBlock(this.#block)
    this.#block = undefined
    this.#blockUsed = 0
  }

  // --- Reading ---

  resume(): void {
    if (this.#reading || this.#destroyed) return
    this.#reading = true
    if (this.#held.length > 0 || this.#ended) this.#scheduleDelivery()
    else this.#startReading()
  }

  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    if (!this.#destroyed && !this.#ended) this.#handle.readStop()
  }

  onBytes(length: number): void {
    if (this.#destroyed) return
    if (this.#reading && this.#held.length === 0) this.handler.onData(this.#io.buffer, length)
    else this.hold(Buffer.from(this.#io.buffer.subarray(0, length)))
  }

  onReadError(error: number): void {
    if (this.#destroyed) return
    if (error !== endOfFile) return this.#failNumber(error)
    this.#ended = true
    if (this.#reading && this.#held.length === 0) this.#tellEnd()
  }

  #startReading(): void {
    const error = this.#handle.readStart()
    if (error !== 0) this.#failNumber(error)
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
    while (this.#reading && !this.#destroyed) {
      const next = this.#held[0]
      if (next === undefined) break
      this.handler.onData(next, next.length)
      this.#held.shift()
    }
    if (!this.#reading || this.#destroyed) return
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
    this.#error ??= error
  }

  onFinished(): void {
    this.#finished = true
    this.#closeWhenBothEnded()
  }

  #closeWhenBothEnded(): void {
    if (this.#endTold && this.#finished) this.destroy()
  }

  #failNumber(error: number): void {
    this.#fail(brokenBy(error))
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.handler.onBroken?.()
    this.destroy()
  }

  onClosed(): void {
    this.#destroyed = true
    this.#dropQueue()
    const error = this.#error
    const named = error === undefined || ('code' in error && String(error.code).startsWith('net/'))
    this.handler.onClose(named ? error : connectionError(error))
  }
}
