// One accepted connection on its way to the service that takes it, and the layers that it passes.
import type { Address } from '../../model/address.ts'
import type { Inbound } from '../../net/listen.ts'
import type { Transport } from '../../net/transport.ts'
import type { Greeting } from '../tcp/greeting.ts'
import type { CompiledChain, CompiledListener } from './compile.ts'

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

/** A connection for which nothing has been chosen yet. */
export interface Arrived {
  readonly inbound: Inbound
  readonly arrival: Arrival
}

export interface AcceptedConnection extends Arrived {
  readonly listener: CompiledListener
  readonly chain: CompiledChain
}

/** Takes a connection whose bytes are ready: plain, or behind a finished handshake. */
export type Serve = (connection: AcceptedConnection, transport: Transport) => void

/** What a filter chain ends in: HTTP or opaque bytes. */
export interface ChainService {
  readonly serve: Serve
  /** No new work: connections end as soon as what they carry is done. */
  drain(): void
  /** A drain is half over, or at its `last` moment: what lives long is told, in a way that its clients understand. May be said again and again. */
  announceEnd?(last: boolean): void
  /** Ends what is still open. */
  close(): void
  /** Open connections. */
  readonly active: number
  /** Why a connection that an older version of the chain let in may not go on; undefined: it may. */
  newDenial?(connection: AcceptedConnection, transport: Transport): string | undefined
  /** The chain has been replaced: what the new one does not allow ends. */
  recheck?(successor: ChainService): void
  /** Opaque bytes: whether the server that this connection would get speaks first; `unknown` where it may not have one. `done` and the result are as in tcp/greeting.ts. */
  askForGreeting?(connection: Arrived, done: (greeting: Greeting) => void): () => void
}
