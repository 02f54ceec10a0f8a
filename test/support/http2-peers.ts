// HTTP/2 that no one here wrote, node's own: servers that answer as a test says, and clients that show all that came.
import { once } from 'node:events'
import { connect, createSecureServer, createServer } from 'node:http2'
import type {
  ClientHttp2Session, ClientHttp2Stream, ClientSessionOptions, Http2Server, IncomingHttpHeaders, OutgoingHttpHeaders, SecureClientSessionOptions, SecureServerOptions, ServerHttp2Session,
  ServerHttp2Stream, ServerOptions,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Address } from '../../src/model/address.ts'

export interface SeenRequest {
  readonly headers: IncomingHttpHeaders
  /** In order, pseudo-header fields too. */
  readonly raw: readonly string[]
  readonly stream: ServerHttp2Stream
  body: string
  trailers: IncomingHttpHeaders | undefined
}

export type Http2Answer = (request: SeenRequest) => void

export class Http2Peer implements AsyncDisposable {
  readonly requests: SeenRequest[] = []
  /** Connections that were ever made. */
  readonly sessions: ServerHttp2Session[] = []
  readonly #server: Http2Server

  private constructor(server: Http2Server) {
    this.#server = server
  }

  /** `answer` is called once the request is complete; by default it says `peer`. */
  static async start(answer: Http2Answer = ({ stream }) => (stream.respond({ ':status': 200 }), stream.end('peer')), options: ServerOptions & { readonly tls?: SecureServerOptions; readonly early?: boolean } = {}): Promise<Http2Peer> {
    const server = options.tls === undefined ? createServer(options) : createSecureServer({ ...options, ...options.tls })
    const peer = new Http2Peer(server)
    server.on('session', (session) => {
      peer.sessions.push(session)
      session.on('error', () => undefined)
    })
    server.on('sessionError', () => undefined)
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
      const request: SeenRequest = { headers, raw, stream, body: '', trailers: undefined }
      peer.requests.push(request)
      stream.on('error', () => undefined)
      stream.on('trailers', (trailers: IncomingHttpHeaders) => (request.trailers = trailers))
      if (options.early === true) return answer(request)
      stream.setEncoding('latin1')
      stream.on('data', (text: string) => (request.body += text))
      stream.on('end', () => answer(request))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return peer
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  get open(): number {
    return this.sessions.filter(({ destroyed }) => !destroyed).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export interface Http2Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly trailers: IncomingHttpHeaders
  readonly informational: readonly number[]
  /** Of RST_STREAM; 0 for none. */
  readonly code: number
}

export class Http2Client implements AsyncDisposable {
  readonly session: ClientHttp2Session
  readonly goaway: Promise<number>
  readonly closed: Promise<void>

  private constructor(session: ClientHttp2Session) {
    this.session = session
    this.goaway = new Promise((resolve) => session.once('goaway', (code: number) => resolve(code)))
    this.closed = new Promise((resolve) => session.once('close', () => resolve()))
    session.on('error', () => undefined)
  }

  static async connect({ host, port }: Address, options: ClientSessionOptions & SecureClientSessionOptions & { readonly secure?: boolean } = {}): Promise<Http2Client> {
    const client = new Http2Client(connect(`${options.secure === true ? 'https' : 'http'}://${host}:${port}`, options))
    await once(client.session, 'connect')
    return client
  }

  /** Without an end where there is neither a body nor `end`. */
  open(headers: OutgoingHttpHeaders, end = false): ClientHttp2Stream {
    const stream = this.session.request({ ':authority': 'a.test', ...headers }, { endStream: end })
    stream.on('error', () => undefined)
    return stream
  }

  async ask(headers: OutgoingHttpHeaders = {}, body?: string | Buffer, trailers?: OutgoingHttpHeaders): Promise<Http2Reply> {
    const stream = this.session.request({ ':authority': 'a.test', ...headers }, { endStream: body === undefined && trailers === undefined, waitForTrailers: trailers !== undefined })
    const reply = replyOn(stream)
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    if (body !== undefined || trailers !== undefined) stream.end(body)
    return await reply
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy()
    await this.closed
  }
}

/** All that comes back on a stream until it is closed. */
export function replyOn(stream: ClientHttp2Stream): Promise<Http2Reply> {
  let headers: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders = {}
  let body = ''
  const informational: number[] = []
  stream.setEncoding('latin1')
  stream.on('headers', (got) => informational.push(Number(got[':status'])))
  stream.on('response', (got) => (headers = got))
  stream.on('trailers', (got) => (trailers = got))
  stream.on('data', (text: string) => (body += text))
  stream.on('error', () => undefined)
  return new Promise((resolve) => stream.once('close', () => resolve({ status: Number(headers[':status'] ?? 0), headers, body, trailers, informational, code: stream.rstCode ?? 0 })))
}
