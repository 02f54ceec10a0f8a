// A connection that was just accepted and has no node socket: looked at and taken as it is it never gets one. For TLS node
// wants a socket below, which is made then: inbound.ts goes on with that.
import type { Address } from '../model/address.ts'
import type { ConnectionTaker } from './accept-handles.ts'
import { brokenBy, endOfFile, netError } from './errors.ts'
import { HandleTransport } from './handle-transport.ts'
import { SocketInbound } from './inbound.ts'
import type { Closed, Ends, Inbound, PeekLimits } from './inbound.ts'
import { acceptedKey, ownerKey, socketAround } from './stream-handles.ts'
import type { HandleOwner, TcpHandle } from './stream-handles.ts'
import type { ServerTls } from './tls.ts'
import type { Transport } from './transport.ts'

const empty = Buffer.alloc(0)
const noListeners: readonly Closed[] = []

/** Somebody waits for the first bytes. */
interface Look {
  /** It has what it wants, or all that there will be. */
  isSatisfied(): boolean
  settle(outcome: 'seen' | 'closed'): void
}

export class HandleInbound implements Inbound, HandleOwner {
  listIndex = -1
  readonly #taker: ConnectionTaker
  readonly #handle: TcpHandle
  #ends: Ends
  #seen: Buffer = empty
  #ended = false
  /** The read buffer has been given to the handle: that is done once. */
  #owned = false
  #look: Look | undefined = undefined
  #taken = false
  #closing = false
  #gone = false
  #transport: HandleTransport | undefined = undefined
  #socketed: SocketInbound | undefined = undefined
  #error: Error | undefined = undefined
  #closed: readonly Closed[] = noListeners

  constructor(taker: ConnectionTaker, handle: TcpHandle, ends: Ends) {
    this.#taker = taker
    this.#handle = handle
    this.#ends = ends
    handle[acceptedKey] = this
  }

  get localAddress(): Address {
    return this.#ends.localAddress
  }

  get remoteAddress(): Address {
    return this.#ends.remoteAddress
  }

  get descriptor(): number | undefined {
    return this.#taker.life.descriptor(this.#handle)
  }

  skip(count: number, ends?: Ends): void {
    this.#seen = this.#seen.subarray(count)
    if (ends !== undefined) this.#ends = ends
  }

  onClose(closed: Closed): void {
    if (this.#gone) return process.nextTick(closed, this)
    this.#closed = [...this.#closed, closed]
  }

  destroy(): void {
    if (this.#transport !== undefined) this.#transport.destroy()
    else if (this.#socketed !== undefined) this.#socketed.destroy()
    else this.#close()
  }

  plain(): Transport {
    this.#take()
    const { io, life } = this.#taker
    const { localAddress, remoteAddress } = this
    const transport = new HandleTransport(io, this.#handle, { life, tls: undefined, early: this.#seen, ended: this.#ended, localAddress, remoteAddress })
    this.#seen = empty
    this.#transport = transport
    if (this.#closing) transport.abandon(this.#error)
    else this.#own(transport)
    return transport
  }

  /** What was read goes into the socket's own buffer: to it, it has just been accepted. */
  async tls(context: ServerTls): Promise<Transport> {
    this.#take()
    if (this.#closing) throw this.#closedError()
    const { transports, handshakeMs } = this.#taker
    const socketed = new SocketInbound(socketAround(this.#handle), transports, handshakeMs, { ends: this.#ends, seen: this.#seen, ended: this.#ended })
    this.#seen = empty
    this.#socketed = socketed
    socketed.onClose(() => this.onHandleClosed())
    return await socketed.tls(context)
  }

  peek(enough: (seen: Buffer) => boolean, { maxBytes, timeoutMs, signal }: PeekLimits): Promise<Buffer | undefined> {
    const isSatisfied = (): boolean => this.#ended || this.#seen.length >= maxBytes || (this.#seen.length > 0 && enough(this.#seen))
    if (isSatisfied()) return Promise.resolve(this.#seen)
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onTooLate)
        this.#look = undefined
        if (!this.#closing) this.#handle.readStop()
      }
      const settle = (outcome: 'seen' | 'closed'): void => {
        finish()
        if (outcome === 'seen') resolve(this.#seen)
        else reject(this.#closedError())
      }
      const onTooLate = (): void => {
        finish()
        resolve(undefined)
      }
      const timer = setTimeout(onTooLate, timeoutMs)
      if (this.#closing) return settle('closed')
      if (signal?.aborted === true) return onTooLate()
      signal?.addEventListener('abort', onTooLate)
      this.#look = { isSatisfied, settle }
      this.#own(this)
      const error = this.#handle.readStart()
      if (error !== 0) this.#fail(error)
    })
  }

  // --- From the handle, while somebody looks ---

  onBytes(length: number): void {
    const bytes = Buffer.from(this.#taker.io.buffer.subarray(0, length))
    this.#seen = this.#seen.length === 0 ? bytes : Buffer.concat([this.#seen, bytes])
    if (this.#look?.isSatisfied() === true) this.#look.settle('seen')
  }

  onReadError(error: number): void {
    if (error !== endOfFile) return this.#fail(error)
    this.#ended = true
    this.#look?.settle('seen')
  }

  onWritten(): void {}

  onFinished(): void {}

  onFailed(): void {}

  onClosed(): void {}

  /** Whoever has the connection by then. */
  onHandleClosed(): void {
    this.#gone = true
    this.#look?.settle('closed')
    for (const closed of this.#closed) closed(this)
  }

  #own(owner: HandleOwner): void {
    if (this.#owned) this.#handle[ownerKey] = owner
    else this.#taker.io.own(this.#handle, owner)
    this.#owned = true
  }

  #fail(error: number): void {
    this.#error ??= brokenBy(error)
    this.#close()
  }

  #close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#taker.life.close(this.#handle, false, false)
  }

  #take(): void {
    if (this.#taken) throw netError('net/closed', 'the connection has been taken already')
    this.#taken = true
  }

  #closedError(): Error {
    return this.#error ?? netError('net/closed', 'the client closed the connection')
  }
}
