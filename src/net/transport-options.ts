// What both transports share: how much they queue, the handler they start with, and how they are made.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Address } from '../model/address.ts'
import type { TlsInfo, Transport, TransportHandler } from './transport.ts'

/** From here on `write` answers false: one full read of the other side. */
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
function plainHost(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host
}
