// What RBAC can know of a request. One for all requests of a filter: a decision is made at once, and nothing is kept.
import type { IpFact, IpNumber, RbacFacts } from '../../../security/rbac/expression.ts'
import { identitiesOf } from '../../rbac/identities.ts'
import { LastIp } from '../../rbac/ips.ts'
import { getMetadata } from '../dynamic-metadata.ts'
import type { Exchange } from '../exchange.ts'
import { addressBeforeHops } from '../trusted-address.ts'

export class HttpFacts implements RbacFacts {
  /** Of the request that is asked about. */
  exchange!: Exchange
  /** The proxy believes what x-forwarded-for says of the client: it comes from a proxy of the mesh. */
  readonly #believes: boolean
  readonly #source = new LastIp()
  readonly #remote = new LastIp()
  readonly #destination = new LastIp()

  constructor(believesForwardedFor: boolean) {
    this.#believes = believesForwardedFor
  }

  get identities(): readonly string[] | undefined {
    return identitiesOf(this.exchange.connection.tls)
  }

  get serverName(): string {
    return this.exchange.requestedServerName
  }

  get destinationPort(): number {
    return this.exchange.connection.originalDestination.port
  }

  get path(): string {
    const { pathname, askedPath } = this.exchange
    const path = askedPath === '' ? pathname : askedPath
    const end = path.search(/[?#]/)
    return end < 0 ? path : path.slice(0, end)
  }

  ip(fact: IpFact): IpNumber | undefined {
    const { connection } = this.exchange
    switch (fact) {
      case 'source': return this.#source.of(connection.remoteAddress)
      case 'destination': return this.#destination.of(connection.originalDestination)
      case 'remote': return this.#remoteIp()
    }
  }

  header(name: string): string | readonly string[] | undefined {
    const { askedPath, askedAuthority } = this.exchange
    if (askedPath !== '' && name === ':path') return askedPath
    if (askedAuthority !== '' && (name === ':authority' || name === 'host')) return askedAuthority
    if (name.charCodeAt(0) === 0x3a || name === 'host') return this.exchange.requestHeader(name)
    const { flat } = this.exchange.requestHeaders
    let first: string | undefined
    let more: string[] | undefined
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue
      if (first === undefined) first = flat[i + 1]!
      else (more ??= [first]).push(flat[i + 1]!)
    }
    return more ?? first
  }

  metadata(namespace: string): unknown {
    return getMetadata(this.exchange, namespace)
  }

  #remoteIp(): IpNumber | undefined {
    const { clientAddress, connection } = this.exchange
    if (clientAddress !== undefined) return this.#remote.of(clientAddress)
    const said = this.#believes ? this.exchange.requestHeader('x-forwarded-for') : undefined
    const host = said === undefined ? undefined : addressBeforeHops(said, 1)
    return host === undefined ? this.#source.of(connection.remoteAddress) : this.#remote.of({ host })
  }
}
