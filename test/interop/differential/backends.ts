// The servers behind both proxies: one socket for every address of the loopback net, which answers as its case says and
// writes down what it got.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './case.ts'
import { createHttp2Backend } from './http2-backend.ts'

export interface Delivery {
  /** `a/0`: service and host. */
  readonly to: string
  readonly line: string
  readonly headers: readonly (readonly [string, string])[]
  body: string
  trailers: readonly (readonly [string, string])[]
  complete: boolean
}

/** What stands at an address: whose it is, and how it answers. */
export interface Place {
  readonly name: string
  readonly next: () => Answer
  readonly deliveries: Delivery[]
}

export class Backends implements AsyncDisposable {
  readonly #places = new Map<string, Place>()
  readonly #servers: TcpServer[] = []
  readonly #sockets = new Set<Socket>()
  port = 0

  static async start(): Promise<Backends> {
    const backends = new Backends()
    backends.port = await backends.open()
    return backends
  }

  /** One more port, for places that share an address. It speaks what a connection begins with. */
  async open(): Promise<number> {
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 200_000 }, (request, response) => void this.#take(request, response))
    server.on('upgrade', (request: IncomingMessage, socket: Socket) => this.#upgrade(request, socket))
    server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => this.#tunnel(request, socket, head))
    server.on('clientError', (_, socket) => socket.destroy())
    const http2 = createHttp2Backend((address, port) => this.#places.get(`${address}:${port}`))
    const listener = createTcpServer((socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => undefined)
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null
        if (first === null) return void socket.destroy()
        socket.unshift(first)
        const taker = first.toString('latin1', 0, 4) === 'PRI ' ? http2 : server
        taker.emit('connection', socket)
      })
    })
    await once(listener.listen(0, '0.0.0.0'), 'listening')
    this.#servers.push(listener)
    return (listener.address() as AddressInfo).port
  }

  put(address: string, port: number, place: Place): void {
    this.#places.set(`${address}:${port}`, place)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  #placeOf(request: IncomingMessage): Place | undefined {
    return this.#places.get(`${request.socket.localAddress}:${request.socket.localPort}`)
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = this.#placeOf(request)
    if (place === undefined) return void response.writeHead(599).end('nobody lives here')
    const answer = place.next()
    const delivery = deliveryOf(place.name, request)
    place.deliveries.push(delivery)
    const body = readBody(request, delivery)
    if (answer.early !== true) await body
    if (answer.delayMs !== undefined) await sleep(answer.delayMs)
    await give(answer, response, `${place.name.split('/')[0]}\n`)
  }

  #upgrade(request: IncomingMessage, socket: Socket): void {
    const place = this.#placeOf(request)
    if (place === undefined) return void socket.destroy()
    place.deliveries.push(deliveryOf(place.name, request))
    const { raw } = place.next()
    socket.write(raw ?? 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    socket.pipe(socket)
  }

  /** As an HTTP proxy, whose tunnels all lead to somebody who says everything back. */
  #tunnel(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const place = this.#placeOf(request)
    if (place === undefined) return void socket.destroy()
    place.deliveries.push(deliveryOf(place.name, request))
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket.write(head)
    socket.pipe(socket)
  }
}

function deliveryOf(to: string, request: IncomingMessage): Delivery {
  return { to, line: `${request.method} ${request.url} HTTP/${request.httpVersion}`, headers: pairs(request.rawHeaders), body: '', trailers: [], complete: false }
}

async function readBody(request: IncomingMessage, delivery: Delivery): Promise<void> {
  try {
    for await (const chunk of request) delivery.body += String(chunk)
    delivery.trailers = pairs(request.rawTrailers)
    delivery.complete = request.complete
  } catch {
    delivery.complete = false
  }
}

async function give(answer: Answer, response: ServerResponse, name: string): Promise<void> {
  const { socket } = response
  if (socket === null || socket.destroyed) return
  if (answer.raw !== undefined || answer.then !== undefined) {
    if (answer.raw !== undefined) await new Promise<void>((resolve) => void socket.write(answer.raw!, 'latin1', () => resolve()))
    if (answer.bodyDelayMs !== undefined) await sleep(answer.bodyDelayMs)
    // What was written must not be overtaken by the reset.
    if (answer.then === 'reset' && answer.raw !== undefined) await sleep(50)
    if (answer.then === 'reset') socket.resetAndDestroy()
    if (answer.then === 'close') socket.end()
    return
  }
  const { status = 200, headers = [], trailers, body = name } = answer
  const framed = headers.some(([key]) => /^(content-length|transfer-encoding)$/i.test(key)) || status === 204 || status === 304 || trailers !== undefined
  response.sendDate = false
  response.writeHead(status, [...headers.flat(), ...(framed ? [] : ['content-length', String(Buffer.byteLength(body))]), ...(trailers === undefined ? [] : ['trailer', trailers.map(([key]) => key).join(', ')])])
  if (answer.bodyDelayMs !== undefined) {
    response.flushHeaders()
    await sleep(answer.bodyDelayMs)
  }
  if (trailers !== undefined) response.addTrailers(Object.fromEntries(trailers))
  response.end(body)
}

function pairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!] as const] : []))
}
