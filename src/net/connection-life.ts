// How a connection whose bytes go through a raw handle ends: by node's socket, where one was made of it, and then all else
// that node knows of it stays right; or by the handle itself, where there is none.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { closeSocket } from './close-socket.ts'
import type { HandleIo } from './handle-io.ts'
import { descriptorOf } from './socket-options.ts'
import { acceptedKey, ownerKey } from './stream-handles.ts'
import type { HandleOwner, StreamHandle, TcpHandle } from './stream-handles.ts'

export interface ConnectionLife {
  /** FIN after all that was written. The owner's `onFinished` follows. */
  finish(handle: StreamHandle): void
  /** Of the socket below; undefined once it is closed. */
  descriptor(handle: StreamHandle): number | undefined
  /** The owner's `onClosed` follows. `finishing`: a FIN is on its way. */
  close(handle: StreamHandle, reset: boolean, finishing: boolean): void
}

/** A node socket whose bytes a transport has taken over. */
interface Watched extends Socket {
  [ownerKey]?: HandleOwner
}

export class SocketLife implements ConnectionLife {
  readonly #socket: Socket | TLSSocket
  readonly #raw: Socket

  constructor(socket: Socket | TLSSocket, raw: Socket) {
    this.#socket = socket
    this.#raw = raw
  }

  /** From here on the socket reads and writes nothing any more. What it had read is returned. */
  handOver(handle: StreamHandle, owner: HandleOwner): Buffer[] {
    const socket = this.#socket
    this.#watch(owner)
    socket.pause()
    handle.readStop()
    const read: Buffer[] = []
    for (let rest: unknown = socket.read(); rest instanceof Buffer; rest = socket.read()) read.push(rest)
    handle.readStop()
    return read
  }

  finish(): void {
    this.#socket.end()
  }

  descriptor(): number | undefined {
    return descriptorOf(this.#raw)
  }

  close(_handle: StreamHandle, reset: boolean): void {
    closeSocket(this.#socket, this.#raw, reset)
  }

  #watch(owner: HandleOwner): void {
    const watched: Watched = this.#socket
    watched[ownerKey] = owner
    watched.on('error', whenError)
    if (this.#raw !== watched) {
      const below: Watched = this.#raw
      below[ownerKey] = owner
      below.on('error', whenError)
    }
    watched.on('finish', whenFinished)
    if (watched.destroyed) process.nextTick(() => owner.onClosed())
    else watched.on('close', whenClosed)
  }
}

// Shared by all connections: listeners of their own would cost each one half a kilobyte.

function whenError(this: Watched, error: Error): void {
  this[ownerKey]?.onFailed(error)
}

function whenFinished(this: Watched): void {
  this[ownerKey]?.onFinished()
}

function whenClosed(this: Watched): void {
  this[ownerKey]?.onClosed()
}

/** One for all connections. */
export class HandleLife implements ConnectionLife {
  readonly #io: HandleIo

  constructor(io: HandleIo) {
    this.#io = io
  }

  finish(handle: TcpHandle): void {
    this.#io.shutDown(handle)
  }

  descriptor({ fd }: TcpHandle): number | undefined {
    return fd < 0 ? undefined : fd
  }

  /** A reset that meets a FIN on its way is refused, and would leave the handle open for ever. */
  close(handle: TcpHandle, reset: boolean, finishing: boolean): void {
    if (!reset || finishing || handle.reset(whenHandleClosed) !== 0) handle.close(whenHandleClosed)
  }
}

function whenHandleClosed(this: TcpHandle): void {
  this[acceptedKey]?.onHandleClosed()
  this[ownerKey]?.onClosed()
}
