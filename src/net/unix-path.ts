// UNIX sockets as addresses: `unix:///path` and `unix://@name` for one that stands in no folder, both with port 0.
import { connect } from 'node:net'
import { lstat, unlink } from 'node:fs/promises'
import type { Address } from '../model/address.ts'

const scheme = 'unix://'

export const isUnixAddress = ({ host }: Pick<Address, 'host'>): boolean => host.startsWith(scheme)

/** As node takes it: the name of an abstract socket begins with a zero byte. */
export function unixPath({ host }: Pick<Address, 'host'>): string {
  const path = host.slice(scheme.length)
  return path.startsWith('@') ? `\0${path.slice(1)}` : path
}

export function unixAddress(path: string): Address {
  return { host: `${scheme}${path.startsWith('\0') ? `@${path.slice(1)}` : path}`, port: 0 }
}

/** Removes the socket that a process which was killed has left, where nobody listens any more. True: it is gone. */
export async function removeStale(address: Address): Promise<boolean> {
  const path = unixPath(address)
  if (!isUnixAddress(address) || path.startsWith('\0')) return false
  // A file refuses, too.
  if (!(await lstat(path).then((found) => found.isSocket(), () => false)) || !(await isDead(path))) return false
  return await unlink(path).then(() => true, () => false)
}

/** Refused: nobody has it open. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'))
  })
}
