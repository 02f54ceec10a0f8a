// Finds out whether raw stream handles work on this node: echoes bytes over loopback, plain and through TLS, on sockets that
// node made, on connections that were taken before it made any, and on one that was opened without. The TLS part uses a
// pre-shared key, so that no certificate is needed.
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { TLSSocket, connect as connectTls, createSecureContext } from 'node:tls'
import { randomBytes } from 'node:crypto'
import type { Inbound } from './inbound.ts'
import { isTcpHandle, listeningHandleOf, socketAround } from './stream-handles.ts'
import type { Transport } from './transport.ts'
import { localAddressOf, remoteAddressOf, silentHandler } from './transport-options.ts'
import type { Transports } from './transport-options.ts'

const limitMs = 2000

/** Undefined when they work around node's sockets, else what did not. */
export function findHandleProblem(transports: Transports): Promise<string | undefined> {
  return firstProblem(transports, false)
}

/** The same of connections that are taken from a server. */
export async function findTakingProblem(transports: Transports): Promise<string | undefined> {
  const problem = await firstProblem(transports, true)
  return problem === undefined ? undefined : `taken connections: ${problem}`
}

/** The same of connections that are opened on handles. */
export async function findDialProblem(transports: Transports): Promise<string | undefined> {
  const { dial } = transports
  if (dial === undefined) return 'opened connections: this node does not give out TCP handles'
  const problem = await echo(transports, false, false, dial)
  return problem === undefined ? undefined : `opened connections: ${problem}`
}

async function firstProblem(transports: Transports, taken: boolean): Promise<string | undefined> {
  for (const tls of [false, true]) {
    const problem = await echo(transports, tls, taken)
    if (problem !== undefined) return `${tls ? 'TLS' : 'TCP'}: ${problem}`
  }
  return undefined
}

/** More than one block and more than one TLS record, so that gathering and splitting are part of it. */
const message = Buffer.alloc(100_000, 'trysail ')

function echo(transports: Transports, tls: boolean, taken: boolean, dial?: Transports['dial']): Promise<string | undefined> {
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
    const onSocket = (raw: Socket): void => {
      sockets.push(raw)
      serverSide(raw, tls, key, fail, (socket) => wrap(socket, raw, sendBack))
    }
    if (!taken) server.on('connection', onSocket)
    server.listen(0, '127.0.0.1', () => {
      if (taken && !(tls ? takeAsSockets(server, onSocket) : takePlain(server, transports, fail))) return finish('its server does not give connections out')
      const { port } = server.address() as AddressInfo
      if (dial !== undefined) return dialAndCompare(dial, port, finish)
      const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      sockets.push(raw)
      clientSide(raw, tls, key, fail, (socket) => wrap(socket, raw, (transport) => sendAndCompare(transport, finish)))
    })
  })
}

function dialAndCompare(dial: NonNullable<Transports['dial']>, port: number, finish: (problem: string | undefined) => void): void {
  try {
    dial({ address: { host: '127.0.0.1', port }, timeoutMs: limitMs }, (error, transport) => (transport === undefined ? finish(String(error)) : sendAndCompare(transport, finish)))
  } catch (error) {
    finish(String(error))
  }
}

function takePlain(server: Server, transports: Transports, onFailed: (reason: string) => void): boolean {
  const taking = { localAddress: undefined, handshakeMs: limitMs, onInbound: (inbound: Inbound) => sendBack(inbound.plain()), onFailed }
  return transports.take?.(server, taking) ?? false
}

function takeAsSockets(server: Server, onSocket: (raw: Socket) => void): boolean {
  const listening = listeningHandleOf(server)
  if (listening === undefined) return false
  listening.onconnection = (_error, handle) => isTcpHandle(handle) && onSocket(socketAround(handle))
  return true
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
