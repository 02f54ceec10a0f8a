// Servers for the upstream side to talk to: node's own HTTP server, which counts what it sees, and one that is a script of
// bytes.
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Address } from '../../src/model/address.ts'

export interface Peer extends AsyncDisposable {
  readonly address: Address
  /** Connections that were ever made. */
  readonly connections: readonly Socket[]
  readonly requests: number
  /** How many of them are open. */
  readonly open: number
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Answers with its own name unless told otherwise. */
export async function httpPeer(handler: Handler | string = 'peer', tls?: ServerOptions, port = 0): Promise<Peer> {
  const handle: Handler = typeof handler === 'string' ? (_request, response) => void response.end(handler) : handler
  const options = { keepAliveTimeout: 60_000 }
  const server = tls === undefined ? createHttpServer(options) : createHttpsServer({ ...options, ...tls })
  let requests = 0
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    requests++
    handle(request, response)
  })
  const seen = await listenOn(server, port, tls === undefined ? 'connection' : 'secureConnection')
  return { ...seen, get requests() { return requests }, get open() { return seen.openCount() } }
}

/** Gives each connection to the script, byte for byte. */
export async function scriptedPeer(script: (socket: Socket, index: number) => void): Promise<Peer> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  let index = 0
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => socket.destroy())
    script(socket, index++)
  })
  const seen = await listenOn(server, 0, 'connection')
  return { ...seen, requests: 0, get open() { return seen.openCount() } }
}

/** Calls back with each whole head that comes in; for requests without a body. */
export function onHeads(socket: Socket, each: (head: string) => void): void {
  let text = ''
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1')
    for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
      const head = text.slice(0, end)
      text = text.slice(end + 4)
      each(head)
    }
  })
}

export const plainAnswer = (body: string, headers = ''): string => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`

async function listenOn(server: Server, port: number, event: string) {
  const connections: Socket[] = []
  const raw = new Set<Socket>()
  server.on('connection', (socket: Socket) => raw.add(socket))
  server.on(event, (socket: Socket) => connections.push(socket))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    connections,
    openCount: () => connections.filter((socket) => !socket.destroyed).length,
    async [Symbol.asyncDispose]() {
      for (const socket of raw) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}
