// Opens a connection, with TLS when asked, within one time limit for all of it.
import { Socket, connect as connectSocket, isIP, isIPv6 } from 'node:net'
import type { Address } from '../model/address.ts'
import { connectError, connectTimeout } from './errors.ts'
import type { NetError } from './errors.ts'
import { keepAlive } from './keep-alive.ts'
import type { KeepAlive } from './keep-alive.ts'
import { makeSocket, ownMark } from './own-mark.ts'
import type { SocketWords } from './own-mark.ts'
import { handshakeAsClient } from './tls-handshake.ts'
import type { ClientTls } from './tls.ts'
import { localAddressOf } from './transport-options.ts'
import type { Connected, Transports } from './transport-options.ts'
import type { Transport } from './transport.ts'
import { currentTransports } from './transports.ts'
import { isUnixAddress, unixPath } from './unix-path.ts'

export interface ConnectOptions {
  /** An IP, a name, or `unix:///path` with port 0. */
  readonly address: Address
  /** For name look-up, connection and TLS handshake together. */
  readonly timeoutMs: number
  readonly tls?: ClientTls | undefined
  /** SNI; empty or absent sends none. */
  readonly serverName?: string
  /** Written before anything else, TLS included. */
  readonly prologue?: Uint8Array
  /** The kernel asks a silent peer whether it is still there. */
  readonly keepAlive?: KeepAlive
  /** Address of this machine that the connection comes from; without it, the one that the route says. */
  readonly source?: string
  /** `source` is a client's, not of this machine; its packets have this mark. */
  readonly foreignMark?: number
  /** Called once for a connection that was made, when it is gone, whoever handles it then. */
  readonly onClosed?: () => void
  readonly transports?: Transports
}

/** Exactly one of the two is there. */
export type ConnectDone = (error: NetError | undefined, transport: Transport | undefined) => void

/** `done` is called once and never inside `connect`. The result gives up: then it is not called at all. */
export function connect(options: ConnectOptions, done: ConnectDone): () => void {
  const { dial } = options.transports ?? currentTransports()
  if (dial !== undefined && isForHandle(options)) return dial(options, done)
  const attempt = new Attempt(options, done)
  return () => attempt.cancel()
}

/** TLS wants a socket below it, names are looked up by node, and what is said before a connection (own-mark.ts) is said to a socket. */
function isForHandle({ tls, address, foreignMark }: ConnectOptions): boolean {
  return tls === undefined && foreignMark === undefined && ownMark() === 0 && isIP(address.host) !== 0
}

class Attempt {
  readonly #options: ConnectOptions
  readonly #done: ConnectDone
  readonly #raw: Socket
  readonly #timer: NodeJS.Timeout
  #error: Error | undefined
  #over = false
  #cancelHandshake: (() => void) | undefined

  constructor(options: ConnectOptions, done: ConnectDone) {
    this.#options = options
    this.#done = done
    const raw = openOrFail(options)
    this.#raw = raw
    raw.pause()
    raw.on('error', (error) => (this.#error ??= error))
    raw.once('close', () => {
      // Once a handshake has begun, it knows better why the connection ended.
      if (this.#cancelHandshake === undefined) this.#fail(connectError(options.address, this.#error))
    })
    raw.once('connect', () => this.#connected())
    this.#timer = setTimeout(() => this.#fail(connectTimeout(options.address, options.timeoutMs)), options.timeoutMs)
  }

  cancel(): void {
    if (this.#over) return
    this.#finish()
    this.#close()
  }

  #connected(): void {
    if (this.#over) return
    const { tls, serverName = '', prologue, keepAlive: asking } = this.#options
    if (asking !== undefined && this.#raw.remotePort !== undefined) keepAlive(this.#raw, asking)
    if (prologue !== undefined) this.#raw.write(prologue)
    if (tls === undefined) return this.#succeed({ socket: this.#raw, tls: undefined })
    this.#cancelHandshake = handshakeAsClient(this.#raw, tls, serverName, {
      onSecure: (socket, info) => this.#succeed({ socket, tls: info }),
      onFailure: (error) => this.#fail(error),
    })
  }

  #succeed({ socket, tls }: Pick<Connected, 'socket' | 'tls'>): void {
    this.#finish()
    const { address, onClosed, transports = currentTransports() } = this.#options
    if (onClosed !== undefined) this.#raw.once('close', onClosed)
    const transport = transports.wrap({
      socket, tls, raw: this.#raw, early: undefined, ended: false, localAddress: localAddressOf(this.#raw), remoteAddress: remoteOf(this.#raw, address),
    })
    this.#done(undefined, transport)
  }

  #fail(error: NetError): void {
    if (this.#over) return
    this.#finish()
    this.#close()
    this.#done(error, undefined)
  }

  /** The handshake, once begun, is who closes. */
  #close(): void {
    if (this.#cancelHandshake === undefined) this.#raw.destroy()
    else this.#cancelHandshake()
  }

  #finish(): void {
    this.#over = true
    clearTimeout(this.#timer)
  }
}

/** What the kernel refuses before the connection was begun is told as what it refuses later. */
function openOrFail(options: ConnectOptions): Socket {
  try {
    return open(options)
  } catch (error) {
    const failed = new Socket()
    failed.destroy(error instanceof Error ? error : undefined)
    return failed
  }
}

function open({ address, source, foreignMark }: ConnectOptions): Socket {
  if (isUnixAddress(address)) return connectSocket({ path: unixPath(address), allowHalfOpen: true })
  const { host, port } = address
  const from = source === undefined ? {} : { localAddress: source }
  if (foreignMark !== undefined) return openAs(address, { mark: foreignMark, foreignSource: true }, from)
  if (ownMark() !== 0) return openAs(address, { mark: ownMark(), foreignSource: false }, from)
  return connectSocket({ host, port, allowHalfOpen: true, noDelay: true, autoSelectFamily: isIP(host) === 0, ...from })
}

function openAs({ host, port }: Address, words: SocketWords, from: { readonly localAddress?: string }): Socket {
  const socket = makeSocket(host, words)
  socket.setNoDelay(true)
  return socket.connect({ host, port, family: isIPv6(host) ? 6 : 4, ...from })
}

function remoteOf(raw: Socket, asked: Address): Address {
  return { host: raw.remoteAddress ?? asked.host, port: raw.remotePort ?? asked.port }
}
