// One request on its way through the requirements: what its tokens have shown so far.
import type { Claims } from '../../../security/jwt/token.ts'
import { getMetadata, setMetadata } from '../dynamic-metadata.ts'
import type { Exchange } from '../exchange.ts'

/** Envoy's name for what this filter learns, whatever the filter is called in a configuration. */
export const jwtNamespace = 'envoy.filters.http.jwt_authn'

export class Attempt {
  readonly exchange: Exchange
  readonly now: number
  #learnt: Record<string, Claims> | undefined = undefined

  constructor(exchange: Exchange, now: number) {
    this.exchange = exchange
    this.now = now
  }

  learn(name: string, claims: Claims): void {
    this.#learnt = { ...this.#learnt, [name]: claims }
  }

  /** For other filters, routes and logs, once everything that is required has been shown. */
  publish(): void {
    if (this.#learnt !== undefined) setMetadata(this.exchange, jwtNamespace, { ...getMetadata(this.exchange, jwtNamespace), ...this.#learnt })
  }
}
