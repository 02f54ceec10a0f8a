// Takes accepted connections to their filter chain: limit, hand-over by original destination, choice of the chain, TLS,
// service. Whatever goes wrong here closes the connection; nothing is answered in plaintext that should be secret.
import type { Clock } from '../../lib/clock.ts'
import { describe, spawn } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { isNetError } from '../../net/errors.ts'
import type { Inbound } from '../../net/listen.ts'
import type { ServerTls } from '../../net/tls.ts'
import type { Transport } from '../../net/transport.ts'
import type { CompiledChain, CompiledListener } from './compile.ts'
import type { AcceptedConnection, Arrival } from './connection.ts'
import { chooseAtOnce, chooseChain } from './detect.ts'
import { introduce } from './introduce.ts'
import { ServerFirst } from './server-first.ts'

/** Why a connection was refused before any service saw it. */
export type Refusal = 'too-many-connections' | 'too-many-handshakes' | 'no-filter-chain' | 'no-certificate' | 'handshake-failed' | 'draining'

export interface Refused {
  readonly refusal: Refusal
  readonly detail: string
  readonly listener: CompiledListener
  readonly inbound: Inbound
  readonly arrival: Arrival
}

export interface AcceptorParts {
  /** The newest listeners, by name. */
  listeners(): ReadonlyMap<string, CompiledListener>
  /** Connections of all listeners together. */
  readonly maxConnections: number
  /** TLS handshakes that are under way: clients that never finish theirs use up neither all connections nor all memory. */
  readonly maxHandshakes: number
  /** A connection goes to its service. `uris`: of the client's certificate. */
  onServed?(connection: AcceptedConnection, uris: readonly string[]): void
  onRefused(refused: Refused): void
  /** A connection of this listener was closed by a fault of the proxy's own. */
  onFault(listenerName: string, error: unknown): void
  /** A destination without a declared protocol whose server speaks first. */
  onServerFirst?(destination: Address): void
  readonly clock: Clock
}

export class Acceptor {
  readonly #parts: AcceptorParts
  readonly #serverFirst: ServerFirst
  #open = 0
  #shaking = 0
  #accepted = 0
  #draining = false
  #refusesInbound = false
  /** What has not reached a service by now never will. */
  #inboundOver = false
  /** One for all connections. */
  readonly #onClose = (): void => void this.#open--

  constructor(parts: AcceptorParts) {
    this.#parts = parts
    this.#serverFirst = new ServerFirst(parts.clock, (destination) => parts.onServerFirst?.(destination))
  }

  get open(): number {
    return this.#open
  }

  get accepted(): number {
    return this.#accepted
  }

  /** From now on every connection is refused. */
  drain(): void {
    this.#draining = true
  }

  /** From now on no connection comes to the workload any more: who is refused here asks another one, nothing of its request was sent. */
  refuseInbound(): void {
    this.#refusesInbound = true
  }

  /** Nor does what is in a handshake. */
  endInbound(): void {
    this.#refusesInbound = true
    this.#inboundOver = true
  }

  accept(name: string, inbound: Inbound, arrived: Arrival): void {
    const first = this.#parts.listeners().get(name)
    if (first === undefined) return inbound.destroy()
    const listener = handedOver(first, arrived, this.#parts.listeners())
    const sourceMark = listener.inspectors.originalSource
    const arrival = sourceMark === undefined ? arrived : { ...arrived, sourceMark }
    const refusal = this.#refusal(listener)
    if (refusal !== undefined) return this.#refuse(refusal, '', listener, inbound, arrival)
    this.#open++
    this.#accepted++
    inbound.onClose(this.#onClose)
    if (listener.inspectors.proxyProtocol) return spawn('reading who a client is', this.#introduceAndServe(listener, inbound, arrival))
    this.#serveAtOnce(listener, inbound, arrival)
  }

  /** Without a promise where no byte has to be looked at. */
  #serveAtOnce(listener: CompiledListener, inbound: Inbound, arrival: Arrival): void {
    try {
      const choice = chooseAtOnce(listener, inbound, arrival)
      if (typeof choice !== 'symbol') return this.#serve(listener, choice, inbound, arrival)
    } catch (error) {
      return this.#giveUp(error, listener, inbound)
    }
    spawn('choosing a filter chain', this.#chooseAndServe(listener, inbound, arrival))
  }

  #refusal({ direction }: CompiledListener): Refusal | undefined {
    if (this.#draining || (this.#refusesInbound && direction === 'inbound')) return 'draining'
    return this.#open >= this.#parts.maxConnections ? 'too-many-connections' : undefined
  }

  async #chooseAndServe(listener: CompiledListener, inbound: Inbound, arrival: Arrival): Promise<void> {
    try {
      this.#serve(listener, await chooseChain({ listener, inbound, arrival, serverFirst: this.#serverFirst }), inbound, arrival)
    } catch (error) {
      this.#giveUp(error, listener, inbound)
    }
  }

  /** Whoever does not say it is not served: what it would be taken for is the proxy in front. */
  async #introduceAndServe(listener: CompiledListener, inbound: Inbound, arrival: Arrival): Promise<void> {
    try {
      const introduced = await introduce(inbound, arrival, listener.inspectors.timeoutMs)
      if (introduced === undefined) return inbound.destroy()
      this.#serve(listener, await chooseChain({ listener, inbound, arrival: introduced, serverFirst: this.#serverFirst }), inbound, introduced)
    } catch (error) {
      this.#giveUp(error, listener, inbound)
    }
  }

  /** That a client left, or its bytes never made a first message, is everyday. */
  #giveUp(error: unknown, listener: CompiledListener, inbound: Inbound): void {
    inbound.destroy()
    if (!isNetError(error)) this.#parts.onFault(listener.name, error)
  }

  #serve(listener: CompiledListener, chain: CompiledChain | undefined, inbound: Inbound, arrival: Arrival): void {
    if (chain === undefined) return this.#refuse('no-filter-chain', '', listener, inbound, arrival)
    const connection: AcceptedConnection = { inbound, arrival, listener, chain }
    if (chain.tls === undefined) this.#hand(connection, inbound.plain())
    else spawn('a TLS handshake', this.#secure(connection))
  }

  /** Fails closed: no certificate, no connection. */
  async #secure(connection: AcceptedConnection): Promise<void> {
    const { inbound, listener, arrival, chain } = connection
    const tls = chain.tls!
    const context = tls.current()
    if (context === undefined) return this.#refuse('no-certificate', tls.problem, listener, inbound, arrival)
    if (this.#shaking >= this.#parts.maxHandshakes) return this.#refuse('too-many-handshakes', '', listener, inbound, arrival)
    let transport: Transport
    try {
      transport = await this.#shake(inbound, context)
    } catch (error) {
      return this.#refuse('handshake-failed', describe(error), listener, inbound, arrival)
    }
    try {
      this.#hand(connection, transport)
    } catch (error) {
      this.#giveUp(error, listener, inbound)
    }
  }

  async #shake(inbound: Inbound, context: ServerTls): Promise<Transport> {
    this.#shaking++
    try {
      return await inbound.tls(context)
    } finally {
      this.#shaking--
    }
  }

  #hand(connection: AcceptedConnection, transport: Transport): void {
    if (this.#inboundOver && connection.listener.direction === 'inbound') return transport.destroy()
    this.#parts.onServed?.(connection, transport.tls?.peerUris ?? [])
    connection.chain.service.serve(connection, transport)
  }

  #refuse(refusal: Refusal, detail: string, listener: CompiledListener, inbound: Inbound, arrival: Arrival): void {
    inbound.destroy()
    this.#parts.onRefused({ refusal, detail, listener, inbound, arrival })
  }
}

/**
 * `use_original_dst`: the connection belongs to the listener that stands where the client meant to go, exactly or on the
 * wildcard address of that port; else to the one that took it.
 */
function handedOver(listener: CompiledListener, arrival: Arrival, all: ReadonlyMap<string, CompiledListener>): CompiledListener {
  return listener.handsOver ? (atDestination(indexOf(all), arrival.originalDestination) ?? listener) : listener
}

/** Exactly there, or on the wildcard address of that port. `byAddress` is by `formatAddress`. */
export function atDestination<Listener>(byAddress: ReadonlyMap<string, Listener>, { host, port }: Address): Listener | undefined {
  const wildcard = { host: host.includes(':') ? '::' : '0.0.0.0', port }
  return byAddress.get(formatAddress({ host, port })) ?? byAddress.get(formatAddress(wildcard))
}

/** One index for each set of listeners: a plan's are never edited. */
const indexes = new WeakMap<ReadonlyMap<string, CompiledListener>, ReadonlyMap<string, CompiledListener>>()

function indexOf(all: ReadonlyMap<string, CompiledListener>): ReadonlyMap<string, CompiledListener> {
  const known = indexes.get(all)
  if (known !== undefined) return known
  const takers = [...all.values()].filter(({ handsOver }) => !handsOver)
  const index = new Map(takers.flatMap((listener) => listener.addresses.map((address) => [formatAddress(address), listener])))
  indexes.set(all, index)
  return index
}
