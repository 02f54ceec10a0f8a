// Finds out whether raw stream handles work on this node: echoes bytes over loopback, plain and through TLS. The TLS
// part uses a pre-shared key, so that no certificate is needed.
import { createServer, connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket, connect as connectTls, createSecureContext } from 'node:tls'
import { randomBytes } from 'node:crypto'
import type { Transport } from './transport.ts'
import { localAddressOf, remoteAddressOf, silentHandler } from './transport-options.ts'
import type { Transports } from './transport-options.ts'

const limitMs = 2000

/** Undefined when they work, else what did not. */
export async function findHandleProblem(transports: Transports): Promise<string | undefined> {
  for (const tls of [false, true]) {
    const problem = await echo(transports, tls)
    if (problem !== undefined) return `${tls ? 'TLS' : 'TCP'}: ${problem}`
  }
  return undefined
}

/** More than one block and more than one TLS record, so that gathering and splitting are part of it. */
const message = Buffer.alloc(100_000, 'trysail ')

function echo(transports: Transports, tls: boolean): Promise<string | undefined> {
  const key = randomBytes(32)
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(`no echo within ${limitMs} ms`), limitMs)
    const finish = (problem: string | undefined): void => {
      clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
      server.close()
      resolve(problem)
    }
    const fail = (error: unknown): void => finish(String(error))
    const wrap = (socket: Socket, raw: Socket, use: (transport: Transport) => void): void => {
      try {
        use(transports.wrap({
          socket, raw, tls: undefined, early: undefined, ended: false,
          localAddress: localAddressOf(raw), remoteAddress: remoteAddressOf(raw),
        }))
      } catch (error) {
        fail(error)
      }
    }
    server.on('error', fail)
    server.on('connection', (raw) => {
      sockets.push(raw)
      serverSide(raw, tls, key, fail, (socket) => wrap(socket, raw, sendBack))
    })
    server.listen(0, '127.0.0.1', () => {
      const raw = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
      sockets.push(raw)
      clientSide(raw, tls, key, fail, (socket) => wrap(socket, raw, (transport) => sendAndCompare(transport, finish)))
    })
  })
}

function serverSide(raw: Socket, tls: boolean, key: Buffer, fail: (error: unknown) => void, use: (socket: Socket) => void): void {
  raw.on('error', fail)
  if (!tls) return use(raw)
  const options = { isServer: true, secureContext: pskContext(), pskCallback: () => key }
  const socket = new TLSSocket(raw, options)
  socket.on('error', fail)
  socket.once('secure', () => use(socket))
}

function clientSide(raw: Socket, tls: boolean, key: Buffer, fail: (error: unknown) => void, use: (socket: Socket) => void): void {
  raw.on('error', fail)
  raw.pause()
  raw.once('connect', () => {
    if (!tls) return use(raw)
    const socket = connectTls({
      socket: raw, secureContext: pskContext(), pskCallback: () => ({ psk: key, identity: 'self-test' }), checkServerIdentity: () => undefined,
    })
    socket.on('error', fail)
    socket.once('secureConnect', () => use(socket))
  })
}

function pskContext() {
  return createSecureContext({ ciphers: 'PSK+AES128', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
}

function sendBack(transport: Transport): void {
  transport.handler = {
    ...silentHandler,
    onData(bytes, length) {
      transport.write(bytes, 0, length)
    },
    onEnd() {
      transport.end()
    },
  }
  transport.resume()
}

function sendAndCompare(transport: Transport, finish: (problem: string | undefined) => void): void {
  const received: Buffer[] = []
  transport.handler = {
    ...silentHandler,
    onData(bytes, length) {
      received.push(Buffer.from(bytes.subarray(0, length)))
    },
    onEnd() {
      const back = Buffer.concat(received)
      finish(back.equals(message) ? undefined : `sent ${message.length} bytes, got ${back.length} different ones back`)
    },
  }
  transport.resume()
  transport.write(message, 0, message.length)
  transport.end()
}
