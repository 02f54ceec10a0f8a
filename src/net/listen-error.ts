// Says why an address cannot be listened on.
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'
import { netError, systemCode } from './errors.ts'
import type { NetError } from './errors.ts'

export function listenError(at: Address, cause: unknown): NetError {
  const where = formatAddress(at)
  switch (systemCode(cause)) {
    case 'EADDRINUSE':
      return netError('net/in-use', `${where} is taken by another process`, cause)
    case 'EACCES':
      return netError('net/listen', `not allowed to listen on ${where}: ports below 1024 need a privilege`, cause)
    case 'EADDRNOTAVAIL':
      return netError('net/listen', `cannot listen on ${where}: this machine does not have that address`, cause)
    default:
      return netError('net/listen', `cannot listen on ${where}`, cause)
  }
}
