// One request on an HTTP/1.1 connection: writes it, and hears the response that the connection reads. The transport
// gathers what is written in one turn, so that a head and a small body leave together.
import { chunkEnd, chunkStart, chunkedBody, lastChunk, noBody, requestHead } from '../../../codec/h1/writer.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import type { Address } from '../../../model/address.ts'
import type { TlsInfo } from '../../../net/transport.ts'
import type { RuntimeHost } from '../host.ts'
import type { RequestHead, ResponseReader, UpstreamStream } from '../types.ts'
import type { H1Connection } from './h1-connection.ts'
import { giveKey } from './websocket-key.ts'

export class H1Stream implements UpstreamStream {
  readonly host: RuntimeHost
  readonly reused: boolean
  readonly reader: ResponseReader
  /** Some of the request was handed to the transport. */
  begun = false
  requestDone = false
  /** Complete, failed or given up: nothing is written or told any more. */
  over = false
  /** The host agreed to the upgrade: the connection carries another protocol from here on. */
  tunnel = false
  upgrades = false
  /** Of the request, in bytes, and in pieces. */
  written = 0
  pieces = 0
  #connection: H1Connection
  #chunked = false

  constructor(connection: H1Connection, host: RuntimeHost, reader: ResponseReader, reused: boolean) {
    this.#connection = connection
    this.host = host
    this.reader = reader
    this.reused = reused
  }

  get localAddress(): Address {
    return this.#connection.transport.localAddress
  }

  get tls(): TlsInfo | undefined {
    return this.#connection.transport.tls
  }

  sendHead({ method, path, authority, headers, bodyLength, sendZeroLength, upgrade = '' }: RequestHead): void {
    if (this.over) return
    this.begun = true
    this.upgrades = upgrade !== ''
    if (this.upgrades) giveKey(headers, upgrade)
    this.#chunked = bodyLength === -1 && !this.upgrades
    this.#connection.expectResponseTo(method)
    const length = this.upgrades ? noBody : bodyLength === 0 ? (sendZeroLength ? 0 : noBody) : bodyLength === -1 ? chunkedBody : bodyLength
    this.#write(requestHead(method, path, authority, headers, length))
  }

  /** What comes after the response has ended is dropped: nobody waits for it. */
  sendBody(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.over || end <= at) return true
    const { transport } = this.#connection
    if (this.#chunked) this.#write(chunkStart(end - at))
    this.written += end - at
    this.pieces++
    const writable = transport.write(bytes, at, end)
    return this.#chunked ? this.#write(chunkEnd) : writable
  }

  sendEnd(trailers: HeaderList | undefined): void {
    if (this.over || this.requestDone) return
    this.requestDone = true
    if (this.#chunked) this.#write(lastChunk(trailers))
    else if (this.tunnel) this.#connection.transport.end()
  }

  #write(text: string): boolean {
    this.written += text.length
    this.pieces++
    return this.#connection.transport.writeLatin1(text)
  }

  pauseResponse(): void {
    if (!this.over) this.#connection.transport.pause()
  }

  resumeResponse(): void {
    if (!this.over) this.#connection.transport.resume()
  }

  reset(): void {
    if (!this.over) this.#connection.abandon(this)
  }
}
