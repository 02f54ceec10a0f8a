// Where a connection was going that the kernel's redirect brought here (SO_ORIGINAL_DST). Asked once for every captured
// connection, so nothing is allocated but the answer.
import type { Address } from '../model/address.ts'
import { linuxOptions } from './socket-options.ts'
import type { SocketOptions } from './socket-options.ts'

/** `struct sockaddr_in` has 16 bytes, `sockaddr_in6` 28; both have the port at 2. */
const v4 = { bytes: 16, host: 4 } as const
const v6 = { bytes: 28, host: 8 } as const

export class OriginalDestinations {
  readonly #options: SocketOptions
  readonly #answer = Buffer.alloc(v6.bytes)

  constructor(options: SocketOptions) {
    this.#options = options
  }

  /** `ipv6`: the peer is one of IPv6, whatever the socket is. Undefined: the connection is unknown to connection tracking. */
  of(fd: number, ipv6: boolean): Address | undefined {
    const length = this.#options.read(fd, ipv6 ? linuxOptions.originalDestinationV6 : linuxOptions.originalDestination, this.#answer)
    if (length < (ipv6 ? v6.bytes : v4.bytes)) return undefined
    return { host: ipv6 ? ipv6At(this.#answer, v6.host) : ipv4At(this.#answer, v4.host), port: this.#answer.readUInt16BE(2) }
  }
}

const ipv4At = (bytes: Buffer, at: number): string => `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`

/** In the one spelling that addresses are compared in: RFC 5952, the first of the longest runs of zeros left out. */
export function ipv6At(bytes: Buffer, at: number): string {
  let run = 0
  let longest = 1
  let from = -1
  for (let i = 0; i < 8; i++) {
    run = bytes.readUInt16BE(at + 2 * i) === 0 ? run + 1 : 0
    if (run <= longest) continue
    longest = run
    from = i - run + 1
  }
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === from) {
      text += '::'
      i += longest - 1
    } else text += (text === '' || text.endsWith(':') ? '' : ':') + bytes.readUInt16BE(at + 2 * i).toString(16)
  }
  return text
}
