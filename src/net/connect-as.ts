// Whether a connection can be made as another user, or with a mark: what a redirect does depends on whose it is. For checks at
// a start; whose a socket is, is settled when it is made, so the process is somebody else for that one moment.
import type { Address } from '../model/address.ts'
import { connectError, connectTimeout } from './errors.ts'
import type { NetError } from './errors.ts'
import { makeSocket } from './own-mark.ts'

export interface SocketOwner {
  /** Undefined: whoever we are. */
  readonly uid?: number | undefined
  /** 0: none. */
  readonly mark: number
}

/** Resolves to why not; undefined when it was accepted. It is closed at once. Throws where we may not be that user. */
export function tryConnectAs(owner: SocketOwner, address: Address, timeoutMs: number): Promise<NetError | undefined> {
  const socket = socketOf(owner, address)
  return new Promise((resolve) => {
    const done = (error: NetError | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(error)
    }
    const timer = setTimeout(() => done(connectTimeout(address, timeoutMs)), timeoutMs)
    socket.on('error', (error) => done(connectError(address, error)))
    socket.once('connect', () => done(undefined))
    socket.connect({ host: address.host, port: address.port })
  })
}

function socketOf({ uid, mark }: SocketOwner, { host }: Address): ReturnType<typeof makeSocket> {
  const before = process.geteuid?.()
  if (uid === undefined || before === undefined || uid === before) return makeSocket(host, { mark, foreignSource: false })
  process.seteuid?.(uid)
  try {
    return makeSocket(host, { mark, foreignSource: false })
  } finally {
    process.seteuid?.(before)
  }
}
