// A Transport on node's public socket API: what works everywhere. handle-transport.ts does the same for a fifth less.
import type { Socket } from 'node:net'
import type { Address } from '../model/address.ts'
import { closeSocket } from './close-socket.ts'
import { connectionError, netError } from './errors.ts'
import { descriptorOf } from './socket-options.ts'
import { highWaterBytes, maxQueuedBytes, silentHandler } from './transport-options.ts'
import type { Connected, Transports } from './transport-options.ts'
import type { TlsInfo, Transport, TransportHandler } from './transport.ts'
import { unconfirmedAt } from './unconfirmed.ts'

export const socketTransports: Transports = { name: 'sockets', wrap: (connected) => new SocketTransport(connected) }

class SocketTransport implements Transport {
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly tls: TlsInfo | undefined
  handler: TransportHandler = silentHandler
  readonly #socket: Socket
  readonly #raw: Socket
  #early: Buffer | undefined
  #ended: boolean
  #error: Error | undefined
  #reading = false
  #waiting = false
  #destroyed = false

  constructor({ socket, raw, tls, early, ended, localAddress, remoteAddress }: Connected) {
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    this.tls = tls
    this.#socket = socket
    this.#raw = raw
    this.#early = early
    this.#ended = ended
    socket.pause()
    socket.on('data', (bytes: Buffer) => this.#onData(bytes))
    socket.on('end', () => this.#onEnd())
    socket.on('drain', () => this.#onDrain())
    socket.on('error', (error) => (this.#error ??= error))
    raw.on('error', (error) => (this.#error ??= error))
    socket.on('finish', () => this.#closeWhenBothEnded())
    if (socket.destroyed) process.nextTick(() => this.#onClose())
    else socket.once('close', () => this.#onClose())
    socket.pause()
  }

  get writableLength(): number {
    return this.#socket.writableLength
  }

  get destroyed(): boolean {
    return this.#destroyed || this.#socket.destroyed
  }

  /** Node has closed a socket before it says that it failed: then nobody can tell. */
  untaken(): number {
    return this.#ended ? (unconfirmedAt(descriptorOf(this.#raw)) ?? 0) : 0
  }

  writeLatin1(text: string): boolean {
    if (this.destroyed || this.#socket.writableEnded) return false
    this.#socket.write(text, 'latin1')
    return this.#afterWrite()
  }

  /** Node keeps what it cannot write at once, so that it has to be a copy. */
  write(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.destroyed || this.#socket.writableEnded) return false
    if (end > at) this.#socket.write(Buffer.from(bytes.subarray(at, end)))
    return this.#afterWrite()
  }

  resume(): void {
    if (this.#reading || this.destroyed) return
    this.#reading = true
    if (this.#early !== undefined || this.#ended) process.nextTick(() => this.#deliverEarly())
    else this.#socket.resume()
  }

  pause(): void {
    this.#reading = false
    this.#socket.pause()
  }

  end(): void {
    if (!this.destroyed) this.#socket.end()
  }

  destroy(reset = false): void {
    if (this.#destroyed) return
    this.#destroyed = true
    closeSocket(this.#socket, this.#raw, reset)
  }

  #afterWrite(): boolean {
    const queued = this.#socket.writableLength
    if (queued > maxQueuedBytes) {
      this.#error ??= netError('net/queue-full', `more than ${maxQueuedBytes} bytes wait to be written`)
      this.destroy()
      return false
    }
    if (queued < highWaterBytes && !this.#socket.writableNeedDrain) return true
    this.#waiting = true
    return false
  }

  #deliverEarly(): void {
    if (!this.#reading || this.destroyed) return
    const early = this.#early
    this.#early = undefined
    if (early !== undefined) this.handler.onData(early, early.length)
    if (!this.#reading || this.destroyed) return
    if (this.#ended) this.#onEnd()
    else this.#socket.resume()
  }

  #onData(bytes: Buffer): void {
    if (!this.#destroyed) this.handler.onData(bytes, bytes.length)
  }

  #onEnd(): void {
    this.#ended = true
    if (this.#destroyed) return
    this.handler.onEnd()
    this.#closeWhenBothEnded()
  }

  /** The socket was told to stay half open; with both halves done there is nothing to stay for. */
  #closeWhenBothEnded(): void {
    if (this.#ended && this.#socket.writableFinished) this.destroy()
  }

  #onDrain(): void {
    if (!this.#waiting || this.#destroyed) return
    this.#waiting = false
    this.handler.onDrain()
  }

  #onClose(): void {
    this.#destroyed = true
    const error = this.#error
    this.handler.onClose(error === undefined || 'code' in error && String(error.code).startsWith('net/') ? error : connectionError(error))
  }
}
