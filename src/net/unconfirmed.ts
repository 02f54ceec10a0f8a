// What the kernel knows of bytes on their way: how many of those that were written the peer's system has not confirmed. A
// request of which no byte was confirmed by the FIN of a peer that closed has reached nobody. Linux tells; elsewhere nothing is known.
import { hasCode } from '../lib/errors.ts'
import { linuxOptions, socketOptions } from './socket-options.ts'

/** Where `struct tcp_info` has what is asked for, and how long it is where it has all of that (Linux 4.19 and later). */
const at = { bytesAcked: 120, notSentBytes: 144, bytesSent: 200, bytesSentAgain: 208 } as const
const neededBytes = 216
const maxBytes = 256

/** Written to a socket and not confirmed yet; undefined where that is not known. A reset by the peer confirms nothing, whatever it had. */
export function unconfirmedAt(fd: number | undefined): number | undefined {
  const { options } = socketOptions()
  if (fd === undefined || options === undefined) return undefined
  try {
    return unconfirmedIn(options.get(fd, linuxOptions.tcpInfo, maxBytes))
  } catch (error) {
    if (hasCode(error, 'net/failed')) return undefined // no TCP: a socket of this machine
    throw error
  }
}

/** The confirmation of our SYN counts as a byte (RFC 4898), so that one too few is said at most. */
function unconfirmedIn(info: Buffer): number | undefined {
  if (info.length < neededBytes) return undefined
  const sent = info.readBigUInt64LE(at.bytesSent) - info.readBigUInt64LE(at.bytesSentAgain)
  const confirmed = info.readBigUInt64LE(at.bytesAcked) - 1n
  return Number(sent - (confirmed < 0n ? 0n : confirmed)) + info.readUInt32LE(at.notSentBytes)
}
