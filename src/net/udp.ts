// Datagrams: a socket that answers whoever writes to it, and one that talks to a single peer from a port of its own, which
// the kernel picks at random and on which it takes from nobody else.
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Address } from '../model/address.ts'
import { connectError } from './errors.ts'
import { listenError } from './listen-error.ts'
import { ownDatagramSocket } from './own-mark.ts'

export interface UdpListening {
  readonly address: Address
  /** What cannot be sent is lost, as datagrams are, also after `close`. */
  send(bytes: Uint8Array, to: Address): void
  close(): void
}

/** What a burst may bring while this process is busy with something else. */
const receiveBufferBytes = 1024 * 1024

/** `reusePort`: others of this user that say so too may have the same address. */
export interface UdpPlace {
  readonly address: Address
  readonly reusePort: boolean
}

export async function listenUdp({ address, reusePort }: UdpPlace, onMessage: (bytes: Buffer, from: Address) => void): Promise<UdpListening> {
  const socket = createSocket({ type: typeFor(address), recvBufferSize: receiveBufferBytes, ...(reusePort && { reusePort }) })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('error', reject)
  socket.bind({ address: address.host, port: address.port, exclusive: true }, resolve)
  await promise.catch((error: Error) => {
    socket.close()
    throw listenError(address, error)
  })
  socket.off('error', reject).on('error', () => {}) // of a single datagram
  socket.on('message', (bytes, from) => onMessage(bytes, { host: from.address, port: from.port }))
  const bound = socket.address()
  let closed = false
  return {
    address: { host: bound.address, port: bound.port },
    send: (bytes, to) => closed || socket.send(bytes, to.port, to.host, () => {}),
    close() {
      if (!closed) socket.close()
      closed = true
    },
  }
}

export interface UdpConversation {
  /** Of this end; 0 before it is known. */
  readonly localPort: number
  close(): void
}

export interface UdpHandler {
  onMessage(bytes: Buffer): void
  /** Once, also when the peer's system said that nobody listens there. Nothing comes after it. */
  onError(error: Error): void
}

/** Sends one datagram; the handler is never called inside. */
export function converseUdp(peer: Address, first: Uint8Array, handler: UdpHandler): UdpConversation {
  const socket = createSocket(typeFor(peer))
  let closed = false
  let localPort = 0
  const close = (): void => {
    localPort = 0
    if (!closed) socket.close()
    closed = true
  }
  const fail = (error: Error | null | undefined): void => {
    if (closed || !error) return
    close()
    handler.onError(connectError(peer, error))
  }
  socket.on('error', fail)
  socket.on('message', (bytes) => closed || handler.onMessage(bytes))
  const fd = ownDatagramSocket(isIPv6(peer.host))
  if (fd !== undefined) socket.bind({ fd, exclusive: true })
  socket.connect(peer.port, peer.host, (error?: Error) => {
    if (closed) return
    if (error !== undefined) return fail(error)
    localPort = socket.address().port
    socket.send(first, fail)
  })
  return {
    get localPort() {
      return localPort
    },
    close,
  }
}

const typeFor = ({ host }: Address): 'udp4' | 'udp6' => (isIPv6(host) ? 'udp6' : 'udp4')
