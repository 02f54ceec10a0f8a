// Clients and servers that speak exact bytes, for tests of what goes over the wire.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Address } from '../../src/model/address.ts'

/** How long a test waits for what must come: far longer than it takes, far shorter than a job. */
const patienceMs = 10_000

/** One end of a connection: what came, and how it ended. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket
  readonly pieces: Buffer[] = []
  received = 0
  /** `end` is a FIN, `reset` an RST; `open` while neither came. */
  state: 'open' | 'end' | 'reset' = 'open'
  #waiting = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.pieces.push(bytes)
      this.received += bytes.length
      this.#changed()
    })
    socket.on('end', () => this.#end('end'))
    socket.on('error', () => this.#end('reset'))
    socket.on('close', () => this.#end('end'))
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('latin1')
  }

  send(text: string | Buffer): this {
    this.socket.write(text, 'latin1')
    return this
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Forgets what came so far, and gives it. */
  take(): string {
    const { text } = this
    this.pieces.length = 0
    return text
  }

  async until(what: () => boolean, patience = patienceMs): Promise<void> {
    const deadline = Date.now() + patience
    while (!what()) {
      if (Date.now() > deadline) throw new Error(`waited in vain; ${this.state}, received: ${this.text.slice(0, 600)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        this.#waiting.add(() => (clearTimeout(timer), resolve()))
      })
    }
  }

  async has(text: string): Promise<string> {
    await this.until(() => this.text.includes(text))
    return this.text
  }

  /** All that came until the end of the connection. */
  async closed(): Promise<string> {
    await this.until(() => this.state !== 'open')
    return this.text
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return
    this.socket.destroy()
    await once(this.socket, 'close')
  }

  #end(how: 'end' | 'reset'): void {
    if (this.state === 'open') this.state = how
    this.#changed()
  }

  #changed(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const resolve of waiting) resolve()
  }
}

export async function rawClient({ host, port }: Address): Promise<RawConnection> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return new RawConnection(socket)
}

/** A request as the peer read it. */
export interface SeenRequest {
  readonly line: string
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly head: string
  /** Without its framing. */
  readonly body: string
  readonly trailers: string
  readonly connection: RawConnection
  /** Of this peer, from 1. */
  readonly number: number
}

/** What it returns is written; undefined leaves the answer to the test. */
export type Answer = (request: SeenRequest) => string | undefined

/** A server that takes whole requests apart, and answers in exact bytes. */
export class RawPeer implements AsyncDisposable {
  readonly requests: SeenRequest[] = []
  readonly connections: RawConnection[] = []
  answer: Answer
  readonly #server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#accept(socket))
  #waiting: (() => void)[] = []

  constructor(answer: Answer) {
    this.answer = answer
  }

  static async start(answer: Answer = () => ok('')): Promise<RawPeer> {
    const peer = new RawPeer(answer)
    await once(peer.#server.listen(0, '127.0.0.1'), 'listening')
    return peer
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  get open(): number {
    return this.connections.filter(({ socket }) => !socket.closed).length
  }

  async until(what: () => boolean): Promise<void> {
    const deadline = Date.now() + patienceMs
    while (!what()) {
      if (Date.now() > deadline) throw new Error(`the peer waited in vain; it saw ${this.requests.length} requests`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        this.#waiting.push(() => (clearTimeout(timer), resolve()))
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    const connection = new RawConnection(socket)
    this.connections.push(connection)
    let rest = ''
    socket.on('data', (bytes: Buffer) => {
      rest = this.#takeRequests(rest + bytes.toString('latin1'), connection)
      this.#changed()
    })
    socket.on('end', () => {
      socket.end()
      this.#changed()
    })
    socket.on('close', () => this.#changed())
    this.#changed()
  }

  #takeRequests(text: string, connection: RawConnection): string {
    let rest = text
    for (let parts = splitRequest(rest); parts !== undefined; parts = splitRequest(rest)) {
      rest = parts.rest
      const request = { ...parts.request, connection, number: this.requests.length + 1 }
      this.requests.push(request)
      const answer = this.answer(request)
      if (answer !== undefined && !connection.socket.destroyed) connection.send(answer)
    }
    return rest
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

export const ok = (body: string, ...headers: string[]): string => response(200, body, ...headers)

export function response(status: number, body: string, ...headers: string[]): string {
  return [`HTTP/1.1 ${status} Whatever`, `content-length: ${body.length}`, ...headers, '', body].join('\r\n')
}

type Split = { readonly request: Omit<SeenRequest, 'connection' | 'number'>; readonly rest: string }

function splitRequest(text: string): Split | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = text.slice(0, end + 4)
  const [line = '', ...fields] = text.slice(0, end).split('\r\n')
  const headers = new Map(fields.map((field): [string, string] => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  }))
  const after = text.slice(end + 4)
  if (headers.get('transfer-encoding') === 'chunked') return splitChunked(after, { line, headers, head })
  const length = Number(headers.get('content-length') ?? 0)
  if (after.length < length) return undefined
  return { request: { line, headers, head, body: after.slice(0, length), trailers: '' }, rest: after.slice(length) }
}

function splitChunked(text: string, known: Pick<SeenRequest, 'line' | 'headers' | 'head'>): Split | undefined {
  let body = ''
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = parseInt(text.slice(at, lineEnd), 16)
    if (size > 0) {
      if (text.length < lineEnd + size + 4) return undefined
      body += text.slice(lineEnd + 2, lineEnd + 2 + size)
      at = lineEnd + size + 4
      continue
    }
    if (text.startsWith('\r\n', lineEnd + 2)) return { request: { ...known, body, trailers: '' }, rest: text.slice(lineEnd + 4) }
    const end = text.indexOf('\r\n\r\n', lineEnd)
    if (end === -1) return undefined
    return { request: { ...known, body, trailers: text.slice(lineEnd + 2, end) }, rest: text.slice(end + 4) }
  }
}
