// Listens on an address, or goes on with a server that listens already, and hands out every accepted connection untouched.
import { Server, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { hasCode } from '../lib/errors.ts'
import { Roster } from '../lib/roster.ts'
import type { Address } from '../model/address.ts'
import { SocketInbound } from './inbound.ts'
import type { Inbound } from './inbound.ts'
import { listenError } from './listen-error.ts'
import { takeWaiting } from './reserve-port.ts'
import { handleOf } from './socket-options.ts'
import { makeTransparent } from './transparent.ts'
import { defaultTransports } from './transports.ts'
import type { Transports } from './transport-options.ts'
import { isUnixAddress, removeStale, unixAddress, unixPath } from './unix-path.ts'

export type { Inbound, PeekLimits } from './inbound.ts'

/**
 * Where: port 0 takes any free one. `server` was made by `reservePort` or by node; `fd` and `handle` are sockets that are bound
 * already, from another thread or process.
 */
export type ListenOn = { readonly address: Address; readonly reusePort?: boolean } | { readonly server: Server } | { readonly fd: number } | { readonly handle: object }

export type ListenOptions = ListenOn & {
  /** Takes connections to any address that the kernel brings here (TPROXY). */
  readonly transparent?: boolean
  onConnection(inbound: Inbound): void
  /** A connection over `maxConnections` was closed, or accepting failed (out of file descriptors). */
  onRefused?(reason: 'too-many-connections' | 'accept-failed', detail: string): void
  /** Kernel queue of connections not accepted yet. 4096, which Linux allows by default. */
  readonly backlog?: number
  /** Open at once. 50,000: more sidecars than a node has, and still only some hundred MB. */
  readonly maxConnections?: number
  /** Longest TLS handshake, from the call of `tls`. 15 s, as Istio's Envoy. */
  readonly handshakeTimeoutMs?: number
  readonly transports?: Transports
}

export interface Listening {
  readonly address: Address
  /** Of its socket; undefined once it is closed, and while there is none. */
  readonly handle: object | undefined
  /** Open connections that came from here. */
  readonly connections: number
  /** Stops listening; resolves at once, open connections go on. */
  close(): Promise<void>
  /** Closes every open connection. */
  destroyConnections(): void
}

export async function listen(options: ListenOptions): Promise<Listening> {
  const transports = options.transports ?? (await defaultTransports())
  const { server, early } = await openOverStale(options)
  if (options.transparent === true) makeTransparent(server)
  return new ServerListening(server, options, transports, early)
}

/** A UNIX socket that a process which is dead has left is in nobody's use. */
async function openOverStale(options: ListenOptions): ReturnType<typeof openServer> {
  try {
    return await openServer(options)
  } catch (error) {
    if (!('address' in options) || !hasCode(error, 'net/in-use') || !(await removeStale(options.address))) throw error
    return await openServer(options)
  }
}

async function openServer(options: ListenOptions): Promise<{ server: Server; early: readonly Socket[] }> {
  if ('server' in options) return { server: options.server, early: takeWaiting(options.server) }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
  const at = 'address' in options ? options.address : { host: 'fd' in options ? `fd ${options.fd}` : 'a socket of another process', port: 0 }
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(at, error))
    server.once('error', onError)
    const { backlog = 4096 } = options
    const onListening = (): void => {
      server.off('error', onError)
      resolve()
    }
    if ('handle' in options) server.listen(options.handle, backlog, onListening)
    else server.listen({ ...('fd' in options ? { fd: options.fd } : placeOf(options)), backlog }, onListening)
  })
  return { server, early: [] }
}

function placeOf({ address, reusePort }: { readonly address: Address; readonly reusePort?: boolean }) {
  return { ...socketOf(address), ...(reusePort === true && { reusePort }) }
}

/** `unix:///path` or host and port. */
function socketOf(address: Address): { path: string } | { host: string; port: number } {
  return isUnixAddress(address) ? { path: unixPath(address) } : { host: address.host, port: address.port }
}

class ServerListening implements Listening {
  readonly address: Address
  readonly #server: Server
  readonly #options: ListenOptions
  readonly #open = new Roster<Inbound>()
  /** One for all connections. */
  readonly #onClose = (inbound: Inbound): void => this.#open.delete(inbound)

  constructor(server: Server, options: ListenOptions, transports: Transports, early: readonly Socket[]) {
    this.#server = server
    this.#options = options
    this.address = boundTo(server)
    const { handshakeTimeoutMs = 15_000 } = options
    const onSocket = (socket: Socket): void => this.#accept(new SocketInbound(socket, transports, handshakeTimeoutMs))
    const onFailed = (reason: string): void => options.onRefused?.('accept-failed', reason)
    const localAddress = isOneAddress(this.address) ? this.address : undefined
    const taken = transports.take?.(server, { localAddress, handshakeMs: handshakeTimeoutMs, onInbound: (inbound) => this.#accept(inbound), onFailed })
    if (taken !== true) server.on('connection', onSocket)
    server.on('error', (error) => onFailed(error.message))
    for (const socket of early) onSocket(socket)
  }

  get handle(): object | undefined {
    return handleOf(this.#server)
  }

  get connections(): number {
    return this.#open.size
  }

  close(): Promise<void> {
    this.#server.close()
    return Promise.resolve()
  }

  destroyConnections(): void {
    for (const inbound of this.#open.all()) inbound.destroy()
  }

  #accept(inbound: Inbound): void {
    const { maxConnections = 50_000 } = this.#options
    if (this.#open.size >= maxConnections) {
      inbound.destroy()
      return this.#options.onRefused?.('too-many-connections', `${maxConnections} are open`)
    }
    this.#open.add(inbound)
    inbound.onClose(this.#onClose)
    this.#options.onConnection(inbound)
  }
}

/** Then it is that of every connection: to ask the kernel each time costs as much as to accept it. */
const isOneAddress = ({ host, port }: Address): boolean => port !== 0 && host !== '0.0.0.0' && host !== '::'

function boundTo(server: Server): Address {
  const at = server.address()
  if (at === null) return { host: '', port: 0 }
  return typeof at === 'string' ? unixAddress(at) : { host: at.address, port: at.port }
}
