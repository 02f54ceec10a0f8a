// Connections of one pool that are on their way.
import type { Transport } from '../../../net/transport.ts'
import type { TlsUse } from '../tls.ts'
import type { ConnectionFailure } from './connector.ts'
import type { PoolParts, PoolTarget } from './pool.ts'

/** The pool. One of the two is called for each that was opened and not cancelled. */
export interface Opener {
  onConnected(transport: Transport): void
  onFailed(failure: ConnectionFailure): void
}

export class OpeningConnections {
  readonly #target: PoolTarget
  readonly #parts: PoolParts
  readonly #use: TlsUse
  readonly #opener: Opener
  readonly #opening = new Set<() => void>()

  constructor(target: PoolTarget, parts: PoolParts, use: TlsUse, opener: Opener) {
    this.#target = target
    this.#parts = parts
    this.#use = use
    this.#opener = opener
  }

  get size(): number {
    return this.#opening.size
  }

  open(): void {
    const { connector, connectTimeoutMs, keepAlive, http, breakers } = this.#parts
    const request = { ...this.#target, use: this.#use, verifyServerName: http.autoVerify, timeoutMs: connectTimeoutMs, keepAlive }
    breakers.connections++
    const stop = connector.open(request, (failure, transport) => {
      this.#opening.delete(cancel)
      if (failure === undefined) this.#onConnected(transport!)
      else this.#onFailed(failure)
    })
    const cancel = (): void => {
      this.#opening.delete(cancel)
      breakers.connections--
      stop()
    }
    this.#opening.add(cancel)
  }

  cancelAll(): void {
    for (const cancel of Array.from(this.#opening)) cancel()
  }

  /** From here on it is the pool's to count down. */
  #onConnected(transport: Transport): void {
    this.#target.host.onConnected()
    this.#opener.onConnected(transport)
  }

  #onFailed(failure: ConnectionFailure): void {
    this.#parts.breakers.connections--
    if (failure.blamesHost) this.#target.host.onConnectFailure(failure.reason === 'connection-timeout')
    this.#opener.onFailed(failure)
  }
}
