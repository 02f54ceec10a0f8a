// What both transports share: how much they queue, the handler they start with, and how they are made.
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Address } from '../model/address.ts'
import type { ConnectDone, ConnectOptions } from './connect.ts'
import type { Inbound } from './inbound.ts'
import type { TlsInfo, Transport, TransportHandler } from './transport.ts'

/** From here on `write` answers false. What is held for a peer that does not read: this, and one read of the other side (256 KB). */
export const highWaterBytes = 64 * 1024

/** A writer that goes on regardless is cut off here, before it takes the process's memory with it. */
export const maxQueuedBytes = 8 * 1024 * 1024

/** A connected socket, before anything but `early` was read of it. */
export interface Connected {
  /** The socket that is read and written: `raw` itself, or the TLS one around it. */
  readonly socket: Socket | TLSSocket
  readonly raw: Socket
  readonly tls: TlsInfo | undefined
  /** What was read already, to be delivered first. */
  readonly early: Buffer | undefined
  /** The peer has finished sending after `early`. */
  readonly ended: boolean
  readonly localAddress: Address
  readonly remoteAddress: Address
}

/** Makes transports of one of the two kinds. */
export interface Transports {
  readonly name: 'handles' | 'sockets'
  wrap(connected: Connected): Transport
  /** Takes a server's connections before node makes sockets of them. Absent, or false: it goes on to make them. */
  take?(server: Server, taking: Taking): boolean
  /** Connects as connect.ts does, without a socket: plain, to an IP. */
  dial?(options: ConnectOptions, done: ConnectDone): () => void
}

/** What becomes of the connections of a server. */
export interface Taking {
  /** Of each of them, where all have the same. */
  readonly localAddress: Address | undefined
  readonly handshakeMs: number
  onInbound(inbound: Inbound): void
  onFailed(reason: string): void
}

/** Until the owner sets its own. */
export const silentHandler: TransportHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }

export function localAddressOf(socket: Socket): Address {
  return { host: plainHost(socket.localAddress ?? ''), port: socket.localPort ?? 0 }
}

export function remoteAddressOf(socket: Socket): Address {
  return { host: plainHost(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
}

/** An IPv4 peer of a dual-stack listener is an IPv4 peer. */
export function plainHost(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host
}
