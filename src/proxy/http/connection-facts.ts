// What is the same for every request of one downstream connection, worked out once.
import { formatAddress, parseAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { TlsInfo, Transport } from '../../net/transport.ts'

/** Who is at the other end. */
export interface Peer {
  /** The first URI SAN of the verified certificate (`spiffe://...`); undefined for a plaintext peer. */
  readonly identity: string | undefined
  readonly uris: readonly string[]
  /** All of them, joined by commas. */
  readonly uriText: string
}

/** How a connection came to the proxy. */
export interface Arrival {
  /** Where the client meant to go: what the capture found out, or the address that it connected to. */
  readonly originalDestination: Address
  /** Nothing says where the client meant to go but the authority of each request. */
  readonly byAuthority?: boolean
  /** What Host stands for when a client names the capture's own address; undefined without such a capture. */
  readonly authority: string | undefined
  /** Hosts see the client's own address, with this mark (TPROXY). */
  readonly sourceMark?: number | undefined
}

const noAuthorities: readonly string[] = []
const plaintext: Peer = { identity: undefined, uris: [], uriText: '' }

export class ConnectionFacts {
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly originalDestination: Address
  readonly #byAuthority: boolean
  readonly tls: TlsInfo | undefined
  readonly peer: Peer
  readonly localUriText: string
  /** What Host stands for when it is one of `ownAuthorities`. */
  readonly authority: string | undefined
  readonly ownAuthorities: readonly string[]
  /** Hosts see the client's own address, with this mark (TPROXY). */
  readonly sourceMark: number | undefined
  /** The client speaks HTTP/2. */
  http2 = false
  #originalDestinationText: string | undefined = undefined
  #remoteAddressText: string | undefined = undefined
  /** Of the request before: a client says the same Host again and again. */
  #lastHost = ''
  #lastAuthority = ''

  constructor(transport: Pick<Transport, 'tls' | 'localAddress' | 'remoteAddress'>, { originalDestination, byAuthority = false, authority, sourceMark }: Arrival) {
    const { tls, localAddress, remoteAddress } = transport
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    this.originalDestination = originalDestination
    this.#byAuthority = byAuthority
    this.tls = tls
    this.peer = tls === undefined ? plaintext : { identity: tls.peerUris[0], uris: tls.peerUris, uriText: tls.peerUris.join(',') }
    this.localUriText = tls?.localUris.join(',') ?? ''
    this.authority = authority
    this.sourceMark = sourceMark
    this.ownAuthorities = authority === undefined ? noAuthorities : [formatAddress(localAddress), `localhost:${localAddress.port}`]
  }

  // Written when they are first asked for: a connection that asks nothing goes without them.

  get originalDestinationText(): string {
    return (this.#originalDestinationText ??= formatAddress(this.originalDestination))
  }

  get remoteAddressText(): string {
    return (this.#remoteAddressText ??= formatAddress(this.remoteAddress))
  }

  get secure(): boolean {
    return this.tls !== undefined
  }

  /** The authority that a Host header stands for; the same string for the same header, whose hash is known. */
  authorityOf(host: string): string {
    if (host === this.#lastHost) return this.#lastAuthority
    this.#lastHost = host
    return (this.#lastAuthority = this.authority !== undefined && this.ownAuthorities.includes(host) ? this.authority : host)
  }

  /** Where a request on it means to go; undefined when that is nowhere: a forward proxy that is asked for itself would ask itself without end. */
  destinationOf(authority: string): Address | undefined {
    if (!this.#byAuthority) return this.originalDestination
    const named = parseAddress(authority) ?? parseAddress(`${authority}:80`)
    return named === undefined || this.#isItself(named) ? undefined : named
  }

  #isItself({ host, port }: Address): boolean {
    return port === this.localAddress.port && (host === this.localAddress.host || host === 'localhost')
  }
}
