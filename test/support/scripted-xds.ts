// An xDS server that does what a test tells it to, on node:http2 and real sockets: streams are waited for, requests are
// read one by one, responses are sent by hand.
import { fromBinary, create, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { createSecureServer, createServer } from 'node:http2'
import type { Http2SecureServer, Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { Deframer } from '../../src/codec/grpc/deframer.ts'
import { frameMessage } from '../../src/codec/grpc/frame.ts'
import {
  DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema, DiscoveryRequestSchema, DiscoveryResponseSchema,
} from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryRequest, DiscoveryRequest } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'

/** Values in the order in which they came; `next` waits for one, with a limit. */
export class Arrivals<Value> {
  readonly #waiting: Value[] = []
  readonly #readers: ((value: Value) => void)[] = []
  count = 0

  push(value: Value): void {
    this.count++
    const reader = this.#readers.shift()
    if (reader === undefined) this.#waiting.push(value)
    else reader(value)
  }

  get unread(): number {
    return this.#waiting.length
  }

  next(what = 'something'): Promise<Value> {
    const value = this.#waiting.shift()
    if (value !== undefined) return Promise.resolve(value)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what} did not come within 10 s`)), 10_000)
      this.#readers.push((arrived) => {
        clearTimeout(timer)
        resolve(arrived)
      })
    })
  }
}

export class PeerStream {
  readonly headers: IncomingHttpHeaders
  readonly raw: ServerHttp2Stream
  readonly #messages = new Arrivals<Uint8Array>()
  readonly closed: Promise<void>

  constructor(raw: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.raw = raw
    this.headers = headers
    const deframer = new Deframer(1 << 20, (message) => this.#messages.push(message))
    raw.on('data', (chunk: Buffer) => deframer.push(chunk))
    raw.on('error', () => undefined)
    this.closed = new Promise((resolve) => raw.once('close', resolve))
  }

  get session(): Http2Session {
    return this.raw.session!
  }

  /** Requests that came and were not read. */
  get unread(): number {
    return this.#messages.unread
  }

  async delta(): Promise<DeltaDiscoveryRequest> {
    return fromBinary(DeltaDiscoveryRequestSchema, await this.#messages.next('a delta request'))
  }

  async sotw(): Promise<DiscoveryRequest> {
    return fromBinary(DiscoveryRequestSchema, await this.#messages.next('a request'))
  }

  sendDelta(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): void {
    this.sendBytes(frameMessage(toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, response))))
  }

  sendSotw(response: MessageInitShape<typeof DiscoveryResponseSchema>): void {
    this.sendBytes(frameMessage(toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, response))))
  }

  sendBytes(bytes: Uint8Array): void {
    this.#respond()
    this.raw.write(bytes)
  }

  end(status: number, message = ''): void {
    this.#respond()
    this.raw.once('wantTrailers', () => this.raw.sendTrailers({ 'grpc-status': String(status), 'grpc-message': message }))
    this.raw.end()
  }

  #respond(): void {
    if (!this.raw.headersSent) this.raw.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  }
}

export interface XdsPeer extends AsyncDisposable {
  readonly port: number
  readonly streams: Arrivals<PeerStream>
  /** Connections so far. */
  readonly sessions: readonly ServerHttp2Session[]
  close(): Promise<void>
}

export interface PeerTls {
  readonly chain: string
  readonly key: string
  readonly roots: string
}

export async function startXdsPeer(options: { readonly port?: number; readonly tls?: PeerTls } = {}): Promise<XdsPeer> {
  const { port = 0, tls } = options
  const server: Http2Server | Http2SecureServer = tls === undefined
    ? createServer()
    : createSecureServer({ cert: tls.chain, key: tls.key, ca: tls.roots, requestCert: true, rejectUnauthorized: true })
  const streams = new Arrivals<PeerStream>()
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session) => sessions.push(session))
  server.on('sessionError', () => undefined)
  server.on('stream', (stream, headers) => streams.push(new PeerStream(stream, headers)))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = server.address()
  const close = (): Promise<void> => {
    for (const session of sessions) session.destroy()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  return { port: typeof bound === 'object' && bound !== null ? bound.port : port, streams, sessions, close, [Symbol.asyncDispose]: close }
}
