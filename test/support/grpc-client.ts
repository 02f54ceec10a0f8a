// A gRPC client on bare node:http2, independent of our server: it shows headers, trailers and how a connection ends.
import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders, SecureClientSessionOptions } from 'node:http2'
import { Deframer } from '../../src/codec/grpc/deframer.ts'
import { frameMessage } from '../../src/codec/grpc/frame.ts'
import { decodeGrpcMessage } from '../../src/codec/grpc/message.ts'

export interface CallEnd {
  readonly http: number
  /** -1 when the call ended without one. */
  readonly status: number
  readonly message: string
  /** The code of RST_STREAM; 0 for none. */
  readonly reset: number
}

export class GrpcClient implements AsyncDisposable {
  readonly session: ClientHttp2Session
  /** The connection is gone; the error it went with, if any. */
  readonly closed: Promise<Error | undefined>
  readonly goaway: Promise<void>

  constructor(url: string, options: SecureClientSessionOptions = {}) {
    this.session = connect(url, options)
    let failure: Error | undefined
    this.session.on('error', (error: Error) => {
      failure = error
    })
    this.closed = new Promise((resolve) => this.session.once('close', () => resolve(failure)))
    this.goaway = new Promise((resolve) => this.session.once('goaway', () => resolve()))
  }

  open(path: string, headers: OutgoingHttpHeaders = {}): GrpcStream {
    return new GrpcStream(this.session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers }))
  }

  /** One message there, at most one back. */
  async unary(path: string, request: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<CallEnd & { readonly response: Uint8Array | undefined }> {
    const stream = this.open(path, headers)
    stream.send(request)
    stream.finish()
    const end = await stream.ended
    return { ...end, response: stream.received[0] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy()
    await this.closed
  }
}

export class GrpcStream {
  readonly raw: ClientHttp2Stream
  readonly ended: Promise<CallEnd>
  /** All messages so far. */
  readonly received: Uint8Array[] = []
  #taken = 0
  #wake: (() => void)[] = []
  #over = false

  constructor(raw: ClientHttp2Stream) {
    this.raw = raw
    const deframer = new Deframer(2 ** 31, (message) => this.received.push(Uint8Array.from(message)))
    let headers: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    raw.on('error', () => raw.close())
    raw.on('response', (got) => (headers = got))
    raw.on('trailers', (got) => (trailers = got))
    raw.on('data', (chunk: Uint8Array) => {
      deframer.push(chunk)
      this.#notify()
    })
    this.ended = new Promise((resolve) => raw.once('close', () => {
      this.#over = true
      this.#notify()
      const all = { ...headers, ...trailers }
      resolve({
        http: Number(all[':status'] ?? 0), status: Number(all['grpc-status'] ?? -1), message: decodeGrpcMessage(String(all['grpc-message'] ?? '')), reset: raw.rstCode ?? 0,
      })
    }))
  }

  send(message: Uint8Array): void {
    this.raw.write(frameMessage(message))
  }

  /** Bytes as they are. */
  sendRaw(bytes: Uint8Array): void {
    this.raw.write(bytes)
  }

  finish(): void {
    this.raw.end()
  }

  /** The next message that was not taken yet; undefined when the call ends without one. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#taken === this.received.length && !this.#over) await new Promise<void>((resolve) => this.#wake.push(resolve))
    return this.#taken < this.received.length ? this.received[this.#taken++] : undefined
  }

  /** Messages that came and were not taken. */
  get waiting(): number {
    return this.received.length - this.#taken
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
