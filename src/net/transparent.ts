// A listening socket that takes connections to addresses that are not of this machine, as the kernel's TPROXY brings them: then
// the address of such a connection at this end is where its client meant to go.
import type { Server } from 'node:net'
import { formatAddress } from '../model/address.ts'
import { netError } from './errors.ts'
import { descriptorOf, linuxOptions, socketOptions } from './socket-options.ts'

/** Once it listens. Throws, and then it listens no more, where that is not allowed: it takes CAP_NET_ADMIN. */
export function makeTransparent(server: Server): void {
  const { options, problem } = socketOptions()
  const fd = descriptorOf(server)
  const at = server.address()
  try {
    if (options === undefined || fd === undefined) throw new Error(problem ?? 'it is closed')
    options.set(fd, linuxOptions.transparent, 1)
    if (typeof at === 'object' && at?.family === 'IPv6') options.set(fd, linuxOptions.transparentV6, 1)
  } catch (error) {
    server.close()
    const where = typeof at === 'object' && at !== null ? formatAddress({ host: at.address, port: at.port }) : String(at)
    throw netError('net/listen', `${where} cannot take connections to other addresses: TPROXY takes CAP_NET_ADMIN`, error)
  }
}
