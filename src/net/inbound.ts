// A connection that was just accepted, before anything of it was used: look at its first bytes, then take it as plain
// bytes or through a TLS handshake.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { findClientHello } from '../codec/client-hello.ts'
import type { Listed } from '../lib/roster.ts'
import type { Address } from '../model/address.ts'
import { connectionError, netError } from './errors.ts'
import { descriptorOf } from './socket-options.ts'
import { handshakeAsServer } from './tls-handshake.ts'
import type { ServerTls } from './tls.ts'
import { localAddressOf, remoteAddressOf } from './transport-options.ts'
import type { Transports } from './transport-options.ts'
import type { TlsInfo, Transport } from './transport.ts'

export interface PeekLimits {
  readonly maxBytes: number
  readonly timeoutMs: number
  /** Ends the wait, as running out of time does. */
  readonly signal?: AbortSignal
}

export interface Ends {
  readonly localAddress: Address
  readonly remoteAddress: Address
}

/** What is known of a connection already. */
export interface Known {
  readonly ends: Ends
  readonly seen: Buffer
  readonly ended: boolean
}

/** Told which connection it was, so that one function may serve for all. */
export type Closed = (inbound: Inbound) => void

export interface Inbound extends Listed {
  readonly localAddress: Address
  readonly remoteAddress: Address
  /** Of its socket, to ask the kernel about it; undefined once that is closed. */
  readonly descriptor: number | undefined
  /**
   * The first bytes, once `enough` of them are there, or `maxBytes`, or all that the client sends. Nothing is consumed.
   * Undefined: not in time. Rejects when the connection broke.
   */
  peek(enough: (seen: Buffer) => boolean, limits: PeekLimits): Promise<Buffer | undefined>
  /** Drops the first bytes, which have been looked at. With `ends` it is the connection of others from then on: a proxy in between said whose. */
  skip(count: number, ends?: Ends): void
  /** Takes the connection as it is. Once, and instead of `tls`. */
  plain(): Transport
  /** Takes the connection through a TLS handshake; rejects with `net/tls` and the reason, the connection closed. */
  tls(context: ServerTls): Promise<Transport>
  /** Harmless when a transport has been taken that is closed already. */
  destroy(): void
  /** Called once when the connection is closed, whoever has it by then. */
  onClose(closed: Closed): void
}

/** A ClientHello with post-quantum key shares passes 2 KiB; one TLS record holds 16 KiB. */
const maxHelloBytes = 16 * 1024 + 5
const empty = Buffer.alloc(0)

const noListeners: readonly Closed[] = []
const inboundKey: unique symbol = Symbol('inbound')

interface Watched extends Socket {
  [inboundKey]?: SocketInbound
}

export class SocketInbound implements Inbound {
  listIndex = -1
  readonly #raw: Socket
  readonly #transports: Transports
  readonly #handshakeMs: number
  #ends: Ends
  #seen: Buffer = empty
  #ended = false
  #taken = false
  #cancelHandshake: (() => void) | undefined
  #transport: Transport | undefined
  #error: Error | undefined
  #closed: readonly Closed[] = noListeners

  /** `raw` must not have been read but for what is `known`, and must have been accepted paused. */
  constructor(raw: Socket, transports: Transports, handshakeMs: number, known: Known = nothingOf(raw)) {
    this.#raw = raw
    this.#transports = transports
    this.#handshakeMs = handshakeMs
    this.#ends = known.ends
    this.#seen = known.seen
    this.#ended = known.ended
    const watched: Watched = raw
    watched[inboundKey] = this
    watched.on('error', SocketInbound.#whenError)
  }

  get localAddress(): Address {
    return this.#ends.localAddress
  }

  get remoteAddress(): Address {
    return this.#ends.remoteAddress
  }

  get descriptor(): number | undefined {
    return descriptorOf(this.#raw)
  }

  skip(count: number, ends?: Ends): void {
    this.#seen = this.#seen.subarray(count)
    if (ends !== undefined) this.#ends = ends
  }

  onClose(closed: Closed): void {
    if (this.#raw.closed) return process.nextTick(closed, this)
    if (this.#closed.length === 0) this.#raw.on('close', SocketInbound.#whenClosed)
    this.#closed = [...this.#closed, closed]
  }

  // Shared by all connections: listeners of their own would cost each one some hundred bytes.

  static #whenError(this: Watched, error: Error): void {
    const inbound = this[inboundKey]
    if (inbound !== undefined) inbound.#error ??= error
  }

  static #whenClosed(this: Watched): void {
    const inbound = this[inboundKey]
    if (inbound !== undefined) for (const closed of inbound.#closed) closed(inbound)
  }

  /** Whoever has the connection by now closes it: see close-socket.ts. */
  destroy(): void {
    if (this.#transport !== undefined) this.#transport.destroy()
    else if (this.#cancelHandshake !== undefined) this.#cancelHandshake()
    else this.#raw.destroy()
  }

  peek(enough: (seen: Buffer) => boolean, { maxBytes, timeoutMs, signal }: PeekLimits): Promise<Buffer | undefined> {
    const satisfied = (): boolean => this.#ended || this.#seen.length >= maxBytes || (this.#seen.length > 0 && enough(this.#seen))
    if (satisfied()) return Promise.resolve(this.#seen)
    const raw = this.#raw
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onTooLate)
        raw.off('data', onData).off('end', onEnd).off('close', onClose)
        raw.pause()
        finish()
      }
      const onData = (bytes: Buffer): void => {
        this.#seen = this.#seen.length === 0 ? bytes : Buffer.concat([this.#seen, bytes])
        if (satisfied()) settle(() => resolve(this.#seen))
      }
      const onEnd = (): void => {
        this.#ended = true
        settle(() => resolve(this.#seen))
      }
      const onClose = (): void => settle(() => reject(this.#closedError()))
      const onTooLate = (): void => settle(() => resolve(undefined))
      const timer = setTimeout(onTooLate, timeoutMs)
      if (raw.destroyed) return onClose()
      if (signal?.aborted === true) return onTooLate()
      signal?.addEventListener('abort', onTooLate)
      raw.on('data', onData).on('end', onEnd).on('close', onClose)
      raw.resume()
    })
  }

  plain(): Transport {
    this.#take()
    return this.#wrap(this.#raw, undefined)
  }

  async tls(context: ServerTls): Promise<Transport> {
    const alpn = await this.#commonProtocols(context.alpn)
    this.#take()
    if (this.#raw.destroyed) throw this.#closedError()
    if (this.#seen.length > 0) this.#raw.unshift(this.#seen)
    this.#seen = empty
    return await new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      const cancel = handshakeAsServer(this.#raw, context, alpn, {
        onSecure: (socket, info) => {
          clearTimeout(timer)
          resolve(this.#wrap(socket, info))
        },
        onFailure: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      const giveUp = (reason: string): void => {
        clearTimeout(timer)
        cancel()
        reject(netError('net/tls', reason))
      }
      this.#cancelHandshake = () => giveUp('given up by this side')
      timer = setTimeout(() => giveUp(`no TLS handshake within ${this.#handshakeMs} ms`), this.#handshakeMs)
    })
  }

  /** Ours that the client offers; empty when it offers others only, or none. */
  async #commonProtocols(ours: readonly string[]): Promise<readonly string[]> {
    if (ours.length === 0) return ours
    const seen = await this.peek(isDecided, { maxBytes: maxHelloBytes, timeoutMs: this.#handshakeMs })
    if (seen === undefined) {
      this.destroy()
      throw netError('net/tls', `no TLS handshake within ${this.#handshakeMs} ms`)
    }
    const hello = findClientHello(seen)
    return hello.kind === 'hello' && ours.some((name) => hello.alpn.includes(name)) ? ours : []
  }

  #take(): void {
    if (this.#taken) throw netError('net/closed', 'the connection has been taken already')
    this.#taken = true
  }

  #wrap(socket: Socket | TLSSocket, tls: TlsInfo | undefined): Transport {
    const early = this.#seen.length > 0 ? this.#seen : undefined
    this.#seen = empty
    const { localAddress, remoteAddress } = this
    this.#transport = this.#transports.wrap({ socket, raw: this.#raw, tls, early, ended: tls === undefined && this.#ended, localAddress, remoteAddress })
    return this.#transport
  }

  #closedError(): Error {
    return this.#error === undefined ? netError('net/closed', 'the client closed the connection') : connectionError(this.#error)
  }
}

const nothingOf = (raw: Socket): Known => ({ ends: { localAddress: localAddressOf(raw), remoteAddress: remoteAddressOf(raw) }, seen: empty, ended: false })

const isDecided = (seen: Buffer): boolean => findClientHello(seen).kind !== 'incomplete'
