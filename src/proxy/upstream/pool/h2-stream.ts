// One request on an HTTP/2 connection: what it says becomes frames of one stream, and what the session hears of that
// stream becomes the answer.
import { errorCode } from '../../../codec/h2/types.ts'
import type { H2Stream as SessionStream } from '../../../codec/h2/types.ts'
import { cutTo } from '../../../codec/header-list.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import type { Address } from '../../../model/address.ts'
import type { TlsInfo } from '../../../net/transport.ts'
import type { RuntimeHost } from '../host.ts'
import type { RequestHead, ResponseReader, UpstreamStream } from '../types.ts'
import type { H2Connection } from './h2-connection.ts'
import { giveAccept, keyOf } from './websocket-key.ts'

export class H2Stream implements UpstreamStream {
  readonly host: RuntimeHost
  readonly reader: ResponseReader
  /** The host went away before it looked at this request (GOAWAY), or without a word before it answered. */
  reused = false
  /** Of its connection, which was opened for it. */
  first = false
  /** Some of the answer has come. */
  answered = false
  /** Some of the request was handed to the session. */
  begun = false
  requestDone = false
  /** Complete, failed or given up: nothing is written or told any more. */
  over = false
  readonly #connection: H2Connection
  #frames: SessionStream<H2Stream> | undefined = undefined
  #upgrades = false
  /** Of a WebSocket that was asked for in HTTP/1.1. */
  #key: string | undefined = undefined

  constructor(connection: H2Connection, host: RuntimeHost, reader: ResponseReader) {
    this.#connection = connection
    this.host = host
    this.reader = reader
  }

  /** Once, before anything else: the two know each other. */
  attach(frames: SessionStream<H2Stream>): void {
    this.#frames = frames
  }

  get localAddress(): Address {
    return this.#connection.transport.localAddress
  }

  get tls(): TlsInfo | undefined {
    return this.#connection.transport.tls
  }

  /** The length goes with the head for the time of the call only: a retry may send the same list in another protocol. */
  sendHead({ method, scheme = 'http', path, authority, headers, bodyLength, upgrade = '' }: RequestHead): void {
    if (this.over) return
    this.begun = true
    if (upgrade !== '') return this.#sendUpgrade(scheme, path, authority, headers, upgrade)
    const { flat } = headers
    const size = flat.length
    if (bodyLength > 0) flat.push('content-length', String(bodyLength))
    this.requestDone = bodyLength === 0
    this.#frames!.sendRequest(method, scheme, authority, path, headers, this.requestDone)
    cutTo(flat, size)
  }

  /** RFC 8441. */
  #sendUpgrade(scheme: string, path: string, authority: string, headers: HeaderList, upgrade: string): void {
    headers.remove('connection')
    headers.remove('upgrade')
    this.#upgrades = true
    this.#key = keyOf(headers, upgrade)
    this.#frames!.sendRequest('CONNECT', scheme, authority, path, headers, false, upgrade)
  }

  sendBody(bytes: Uint8Array, at: number, end: number): boolean {
    return this.over || end <= at || this.#frames!.sendData(bytes, at, end)
  }

  sendEnd(trailers: HeaderList | undefined): void {
    if (this.over || this.requestDone) return
    this.requestDone = true
    this.#frames!.sendEnd(trailers)
  }

  pauseResponse(): void {
    if (!this.over) this.#frames!.pause()
  }

  resumeResponse(): void {
    if (!this.over) this.#frames!.resume()
  }

  /** Also after the response has ended, where the host still waits for the rest of the request. */
  reset(): void {
    if (this.over) {
      if (!this.requestDone) this.#frames!.reset(errorCode.cancel)
      this.requestDone = true
      return
    }
    this.#connection.abandon(this)
    this.#frames!.reset(errorCode.cancel)
  }

  // --- What the session hears. The user may have given the stream up. ---

  onResponse(status: number, headers: HeaderList, bodyLength: number, end: boolean): void {
    if (this.over) return
    this.answered = true
    if (status < 200) return this.reader.onInformational(status, headers)
    // Trailers may follow a body that is said to be empty.
    const agreed = this.#upgrades && status < 300
    if (agreed) giveAccept(headers, this.#key)
    this.reader.onHead(agreed ? 101 : status, headers, end ? 0 : bodyLength === 0 ? -1 : bodyLength)
    if (end) this.onEnd(undefined)
  }

  onData(bytes: Buffer, at: number, end: number): void {
    if (!this.over) this.reader.onData(bytes, at, end)
  }

  onEnd(trailers: HeaderList | undefined): void {
    if (this.over) return
    this.#connection.finished(this)
    this.reader.onEnd(trailers)
  }

  onWritable(): void {
    if (!this.over && !this.requestDone) this.reader.onWritable()
  }
}
