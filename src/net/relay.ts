// Leads whole connections on to another address, byte by byte, in both directions, and knows nothing of what they carry. For
// what crosses from one network into another where nobody else can: each end is a socket of its own network.
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Address } from '../model/address.ts'
import { listenError } from './listen-error.ts'

export interface RelayOptions {
  /** What listens already, bound elsewhere. */
  readonly on: { readonly handle: object }
  /** Undefined: it leads nowhere, and is reset. */
  target(from: Socket): Address | undefined
  /** At a time; more are reset at once. Each costs two descriptors and up to 128 KB. */
  readonly maxConnections?: number
  /** For the second half to be connected. */
  readonly connectTimeoutMs?: number
}

export interface Relay {
  readonly connections: number
  /** With all that it carries. */
  close(): void
}

const keepAliveMs = 60_000

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    socket.on('error', () => {}) // it closes: that is what counts
    if (open.size >= (options.maxConnections ?? 10_000)) return void socket.resetAndDestroy()
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    carry(socket, options)
  })
  await listening(server, options.on.handle)
  return {
    get connections() { return open.size },
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

function listening(server: Server, handle: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError({ host: 'a socket of another network', port: 0 }, error)))
    server.listen(handle, resolve)
  })
}

function carry(from: Socket, { target, connectTimeoutMs = 10_000 }: RelayOptions): void {
  const address = target(from)
  if (address === undefined) return void from.resetAndDestroy()
  const to = connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true })
  const timer = setTimeout(() => to.destroy(new Error('too late')), connectTimeoutMs)
  let connected = false
  to.once('connect', () => {
    connected = true
    // Who vanishes without a word does not hold its two sockets for ever.
    for (const socket of [from, to]) socket.setKeepAlive(true, keepAliveMs)
    clearTimeout(timer)
    from.pipe(to)
    to.pipe(from)
  })
  to.on('error', () => {
    // Whoever asked is to see a refusal, or a reset, as it would have without us.
    from.resetAndDestroy()
  })
  to.once('close', (failed) => {
    clearTimeout(timer)
    if (failed || !connected) from.resetAndDestroy()
    else if (!from.destroyed) from.end()
  })
  from.once('close', (failed) => {
    if (failed) to.resetAndDestroy()
    else if (!to.destroyed) to.end()
  })
}
