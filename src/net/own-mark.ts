// Connections of this process that the kernel can tell from others: by a mark on their packets, where redirects leave alone
// what has it and there is one user only, so that the user tells nothing; or in the name of another address (TPROXY). Both are
// said before a socket connects, so the socket is made here.
import { Socket, isIPv6 } from 'node:net'
import type { Address } from '../model/address.ts'
import { netError } from './errors.ts'
import { linuxOptions, socketOptions } from './socket-options.ts'
import type { SocketOptions } from './socket-options.ts'

export interface SocketWords {
  /** 0: none. */
  readonly mark: number
  /** Its source may be an address that is not of this machine. */
  readonly foreignSource: boolean
}

/** 0: none. Of the thread: each one is told. */
let own = 0

/** From now on whatever this thread connects has the mark. Throws `net/failed` where that is not possible or not allowed. */
export function markOwnSockets(mark: number): void {
  const socket = makeSocket('127.0.0.1', { mark, foreignSource: false })
  socket.destroy()
  own = mark
}

export const ownMark = (): number => own

/** Not connected yet; a name is looked for in IPv4 only, since the socket has to be of one family. */
export function makeSocket(host: string, { mark, foreignSource }: SocketWords): Socket {
  const options = optionsFor(mark === 0 ? 'IP_TRANSPARENT' : 'SO_MARK')
  const ipv6 = isIPv6(host)
  const fd = options.create('tcp', ipv6)
  const socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true })
  try {
    if (mark !== 0) options.set(fd, linuxOptions.mark, mark)
    if (foreignSource) options.set(fd, ipv6 ? linuxOptions.transparentV6 : linuxOptions.transparent, 1)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** On its way to `address`, as ours; undefined where nothing marks ours: then any socket will do. */
export function ownConnection({ host, port }: Address): Socket | undefined {
  if (own === 0) return undefined
  return makeSocket(host, { mark: own, foreignSource: false }).connect({ host, port, family: isIPv6(host) ? 6 : 4 })
}

/** For `bind` of a datagram socket; undefined where nothing marks ours. */
export function ownDatagramSocket(ipv6: boolean): number | undefined {
  if (own === 0) return undefined
  const options = optionsFor('SO_MARK')
  const fd = options.create('udp', ipv6)
  options.set(fd, linuxOptions.mark, own)
  return fd
}

function optionsFor(what: string): SocketOptions {
  const { options, problem } = socketOptions()
  if (options === undefined) throw netError('net/failed', `cannot set ${what}: ${problem}`)
  return options
}
