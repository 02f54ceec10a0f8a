// A tunnel as the body of a POST and of its answer, for HTTP proxies that know no CONNECT: what goes out is chunked, what comes back
// is framed in whatever way the proxy likes. To whoever holds it, it is a transport like any other.
import { H1Error } from '../../codec/h1/errors.ts'
import { H1Parser } from '../../codec/h1/parser.ts'
import type { H1Events, H1Head } from '../../codec/h1/types.ts'
import { chunkEnd, chunkStart, lastChunk } from '../../codec/h1/writer.ts'
import { describe } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import type { TlsInfo, Transport, TransportHandler } from '../../net/transport.ts'
import type { TunnelRequest, TunnelWaiter } from './tunnel.ts'

export class PostTunnel implements Transport, TransportHandler, H1Events {
  handler: TransportHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
  readonly #inner: Transport
  readonly #waiter: TunnelWaiter
  readonly #cancelTimeout: () => void
  readonly #parser = new H1Parser('response', this)
  #state: 'asking' | 'granted' | 'open' | 'over' = 'asking'
  /** What came behind the head of the answer before anyone could take it. */
  readonly #early: Buffer[] = []
  #sentAll = false
  #gotAll = false

  constructor(inner: Transport, { target, timeoutMs, clock }: TunnelRequest, waiter: TunnelWaiter) {
    this.#inner = inner
    this.#waiter = waiter
    this.#cancelTimeout = clock.after(timeoutMs, () => this.#fail(`no answer to POST within ${timeoutMs} ms`))
    this.#parser.expectResponseTo('POST')
    inner.handler = this
    inner.writeLatin1(`POST / HTTP/1.1\r\nhost: ${target}\r\ntransfer-encoding: chunked\r\n\r\n`)
    inner.resume()
  }

  giveUp(): void {
    if (this.#state === 'open' || this.#state === 'over') return
    this.#over()
    this.#inner.destroy()
  }

  // --- What the connection tells ---

  onData(bytes: Buffer, length: number): void {
    if (this.#state === 'over' || this.#gotAll) return
    try {
      this.#parser.execute(bytes, 0, length)
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      return this.#fail(`the answer to POST is no HTTP: ${describe(error)}`)
    }
    if (this.#state === 'granted') this.#open()
  }

  onDrain(): void {
    if (this.#state === 'open') this.handler.onDrain()
  }

  onEnd(): void {
    try {
      this.#parser.finish()
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
    }
    if (!this.#gotAll) this.#fail('the answer to POST broke off')
  }

  onClose(error: Error | undefined): void {
    if (this.#state !== 'open') return this.#fail(error === undefined ? 'the connection was closed before POST was answered' : describe(error))
    this.#over()
    this.handler.onClose(error)
  }

  // --- What the parser tells ---

  onHead({ status, reason }: H1Head): void {
    if (status < 200) return
    if (status < 300) this.#state = 'granted'
    else this.#fail(`POST was answered with ${status} ${reason}`)
  }

  onBody(bytes: Buffer, at: number, end: number): void {
    const piece = bytes.subarray(at, end)
    if (this.#state === 'open') this.handler.onData(piece, piece.length)
    else if (this.#state === 'granted') this.#early.push(Buffer.from(piece))
  }

  onMessageEnd(): void {
    this.#gotAll = true
    if (this.#state === 'open') this.#endOfAnswer()
  }

  #open(): void {
    this.#cancelTimeout()
    this.#state = 'open'
    this.#waiter.onTunnel(this, Buffer.concat(this.#early))
    if (this.#gotAll) this.#endOfAnswer()
  }

  /** Not before: a server that sees the end of the connection may take it for the end of interest in its answer. */
  #endOfAnswer(): void {
    this.handler.onEnd()
    if (this.#sentAll) this.#inner.end()
  }

  #fail(detail: string): void {
    const { handler } = this
    const wasOpen = this.#state === 'open'
    if (this.#state === 'over') return
    this.#over()
    this.#inner.destroy()
    if (wasOpen) handler.onClose(new Error(detail))
    else this.#waiter.onFailure(detail)
  }

  #over(): void {
    this.#state = 'over'
    this.#cancelTimeout()
  }

  // --- The transport that it is ---

  get localAddress(): Address {
    return this.#inner.localAddress
  }

  get remoteAddress(): Address {
    return this.#inner.remoteAddress
  }

  get tls(): TlsInfo | undefined {
    return this.#inner.tls
  }

  get writableLength(): number {
    return this.#inner.writableLength
  }

  get destroyed(): boolean {
    return this.#inner.destroyed
  }

  writeLatin1(text: string): boolean {
    return this.write(Buffer.from(text, 'latin1'), 0, text.length)
  }

  write(bytes: Uint8Array, at: number, end: number): boolean {
    if (end <= at) return true
    this.#inner.writeLatin1(chunkStart(end - at))
    this.#inner.write(bytes, at, end)
    return this.#inner.writeLatin1(chunkEnd)
  }

  untaken(): number {
    return this.#inner.untaken()
  }

  resume(): void {
    this.#inner.resume()
  }

  pause(): void {
    this.#inner.pause()
  }

  end(): void {
    if (this.#sentAll) return
    this.#sentAll = true
    this.#inner.writeLatin1(lastChunk(undefined))
    if (this.#gotAll) this.#inner.end()
  }

  /** Whoever destroys it hears of its close, as of any transport's. */
  destroy(reset?: boolean): void {
    this.#inner.destroy(reset)
  }
}
