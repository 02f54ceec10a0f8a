// The writing half of a transport on a raw handle: one write call for all that was written in a turn of the event loop, a bounded
// queue behind it, and FIN after the last byte. Reading and the end of the connection are handle-transport.ts's.
// Rules that keep it safe:
// - One write in flight per handle: a second one on a TLS handle aborts the process. The rest queues here.
// - Bytes are copied into blocks of our own, since a write that did not finish at once still reads from them; not so on TLS.
import { blockBytes, giveBlock, takeBlock } from './blocks.ts'
import type { ConnectionLife } from './connection-life.ts'
import { brokenBy, netError } from './errors.ts'
import type { HandleIo } from './handle-io.ts'
import type { HandleOwner, StreamHandle, WriteRequest } from './stream-handles.ts'
import { highWaterBytes, maxQueuedBytes, silentHandler } from './transport-options.ts'
import type { TlsInfo, TransportHandler } from './transport.ts'
import { flushAtEndOfTurn } from './turn.ts'
import type { Flushable } from './turn.ts'

/** Of all transports that hold none: never added to. Most of the time that is all of them, and a list for each takes 64 bytes. */
export const none: Buffer[] = []

/** A plain array of bytes for the call: to make a Buffer takes twice as long. */
const viewOf = (block: Buffer, length: number): Uint8Array => new Uint8Array(block.buffer, block.byteOffset, length)

export function added(list: Buffer[], one: Buffer): Buffer[] {
  if (list === none) return [one]
  list.push(one)
  return list
}

export abstract class HandleWriter implements HandleOwner, Flushable {
  handler: TransportHandler = silentHandler
  destroyed = false
  abstract readonly tls: TlsInfo | undefined
  protected readonly io: HandleIo
  protected readonly handle: StreamHandle
  protected readonly life: ConnectionLife
  protected error: Error | undefined

  // Full blocks, the block being filled, and what the kernel or OpenSSL has now.
  #full: Buffer[] = none
  #block: Buffer | undefined
  #blockUsed = 0
  protected inFlight = 0
  #inFlightBlocks: readonly Buffer[] = none
  /** Of a write that failed. */
  protected refused = 0
  #calling = false
  protected dirty = false
  #waiting = false
  #ending = false
  /** FIN is on its way. */
  protected finishing = false

  constructor(io: HandleIo, handle: StreamHandle, life: ConnectionLife) {
    this.io = io
    this.handle = handle
    this.life = life
  }

  abstract onBytes(length: number): void
  abstract onReadError(error: number): void
  abstract onFinished(): void
  abstract onFailed(error: Error): void
  abstract onClosed(): void

  /** It broke: who owns it hears so, and that it closes. */
  protected abstract fail(error: Error): void

  /** Until we are told that it is written. No getter: V8 reads a private one by a call into its runtime, several a write. */
  protected queuedLength(): number {
    return this.inFlight + this.#full.length * blockBytes + this.#blockUsed
  }

  writeLatin1(text: string): boolean {
    if (this.destroyed || this.#ending) return false
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
    if (this.destroyed || this.#ending) return false
    for (let from = at; from < end; ) {
      const block = this.#block ?? this.#openBlock()
      const length = Math.min(end - from, blockBytes - this.#blockUsed)
      block.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), this.#blockUsed)
      this.#blockUsed += length
      from += length
      if (this.#blockUsed === blockBytes) this.#closeBlock()
      if (this.destroyed) return false
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
    if (this.destroyed || this.#ending) return
    this.#ending = true
    this.#markDirty()
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
    if (this.inFlight === 0) this.flush()
    else if (this.queuedLength() > maxQueuedBytes) this.#overflow()
  }

  #overflow(): void {
    this.fail(netError('net/queue-full', `more than ${maxQueuedBytes} bytes wait to be written`))
  }

  #afterWrite(): boolean {
    if (this.destroyed) return false
    this.#markDirty()
    if (this.queuedLength() < highWaterBytes) return true
    this.#waiting = true
    return false
  }

  #markDirty(): void {
    if (this.dirty) return
    this.dirty = true
    flushAtEndOfTurn(this)
  }

  flushTurn(): void {
    this.dirty = false
    this.flush()
    this.#settle()
  }

  protected flush(): void {
    while (this.inFlight === 0 && !this.destroyed && !this.#calling) {
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
    const request = this.io.takeRequest(this)
    this.inFlight = length
    this.#calling = true
    const error = this.handle.writeBuffer(request, viewOf(block, length))
    this.#calling = false
    if (this.#isStillRead(request, error)) this.#holdBlocks(request, [block])
    else giveBlock(block)
  }

  #sendAll(last: Buffer | undefined, used: number): void {
    const blocks = this.#full
    const views: Uint8Array[] = blocks.slice()
    this.#full = none
    this.inFlight = blocks.length * blockBytes
    if (last !== undefined) {
      blocks.push(last)
      views.push(viewOf(last, used))
      this.inFlight += used
    }
    const request = this.io.takeRequest(this)
    this.#calling = true
    const error = this.handle.writev(request, views, true)
    this.#calling = false
    if (this.#isStillRead(request, error)) this.#holdBlocks(request, blocks)
    else for (const block of blocks) giveBlock(block)
  }

  /** What came of a write call. True: the kernel goes on reading from its blocks. */
  #isStillRead(request: WriteRequest, error: number): boolean {
    if (error === 0 && request.owner === undefined) return false // completed inside the call
    if (error === 0 && this.io.wroteAsync) return this.tls === undefined // OpenSSL has encrypted, or node has copied them
    const length = this.inFlight
    this.inFlight = 0
    if (error === 0) this.io.giveRequest(request)
    else {
      if (this.tls === undefined) this.refused = length
      this.failNumber(error)
    }
    return false
  }

  #holdBlocks(request: WriteRequest, blocks: readonly Buffer[]): void {
    request.bytes = blocks
    this.#inFlightBlocks = blocks
  }

  /** What was in flight is no more; its memory is ours again. */
  #written(): void {
    this.inFlight = 0
    const blocks = this.#inFlightBlocks
    if (blocks === none) return
    this.#inFlightBlocks = none
    for (const block of blocks) giveBlock(block)
  }

  onWritten(status: number): void {
    this.#written()
    if (this.destroyed) return
    if (status < 0) return this.failNumber(status)
    if (this.#ending || this.#waiting || this.queuedLength() > 0) this.#markDirty()
  }

  /** After a flush: FIN when the last byte is out, and the word to a writer that waits. */
  #settle(): void {
    if (this.destroyed || this.queuedLength() > 0) return
    if (this.#ending && !this.finishing) {
      this.finishing = true
      this.life.finish(this.handle)
    }
    if (!this.#waiting) return
    this.#waiting = false
    this.handler.onDrain()
  }

  protected dropQueue(): void {
    for (const block of this.#full) giveBlock(block)
    this.#full = none
    if (this.#block !== undefined) giveBlock(this.#block)
    this.#block = undefined
    this.#blockUsed = 0
  }

  protected failNumber(error: number): void {
    this.fail(brokenBy(error))
  }
}
