// Who came to this workload, and how: with a certificate of the mesh, or without. STRICT mutual TLS would turn the latter
// away; `trysail authn readiness` names them from this table. It is counted from the start of the proxy.
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import type { Refused } from './accept.ts'
import type { AcceptedConnection } from './connection.ts'

export interface InboundPeersShown {
  /** ISO 8601: since when connections are counted. */
  readonly since: string
  readonly ports: readonly { readonly port: number; readonly mutual: number }[]
  /** Clients that showed no certificate, the last seen first. */
  readonly plaintext: readonly PlaintextClient[]
  /** Rows that had to go because there were too many: the list is not complete then. */
  readonly forgotten: number
}

export interface PlaintextClient {
  readonly port: number
  /** Without its port, which is another one each time. */
  readonly address: string
  /** Connections that were served, and those that a port refused because it takes mutual TLS only. */
  readonly connections: number
  readonly refused: number
  readonly first: string
  readonly last: string
  /** What it says of itself, which proves nothing: `productpage-v1.default`, or its user-agent. */
  readonly says: readonly string[]
}

interface Row {
  readonly port: number
  /** Undefined: all that showed a certificate. */
  readonly address: string | undefined
  connections: number
  refused: number
  readonly first: number
  last: number
  readonly says: Set<string>
}

/** Different clients, by address and port: some 300 KB. More are a scan, or a mesh that is far from ready. */
const defaultMaxRows = 1_024
/** Of one client, for people: more names are no better hint. */
const maxSays = 4
const maxSaysLength = 200

export class InboundPeers {
  readonly #clock: Clock
  readonly #maxRows: number
  readonly #since: number
  /** In the order in which they were last seen. */
  readonly #rows = new Map<string, Row>()
  #forgotten = 0

  constructor(clock: Clock, maxRows = defaultMaxRows) {
    this.#clock = clock
    this.#maxRows = maxRows
    this.#since = clock.now()
  }

  /** A connection has its chain; behind TLS the handshake is done. `uris`: of the client's certificate. */
  served({ listener, inbound, arrival }: AcceptedConnection, uris: readonly string[] = []): void {
    if (listener.direction !== 'inbound') return
    this.#row(arrival.originalDestination, uris.length > 0 ? undefined : inbound.remoteAddress.host).connections++
  }

  refused({ refusal, listener, inbound, arrival }: Refused): void {
    if (refusal !== 'no-filter-chain' || listener.direction !== 'inbound') return
    this.#row(arrival.originalDestination, inbound.remoteAddress.host).refused++
  }

  /** What a client that showed no certificate says of itself. */
  named({ port }: Address, { host }: Address, says: string): void {
    const row = this.#rows.get(keyOf(port, host))
    if (row === undefined || row.says.size >= maxSays) return
    row.says.add(says.slice(0, maxSaysLength))
  }

  shown(): InboundPeersShown {
    const rows = [...this.#rows.values()]
    const ports = [...new Set(rows.map(({ port }) => port))].sort((one, other) => one - other)
    return {
      since: new Date(this.#since).toISOString(),
      ports: ports.map((port) => ({ port, mutual: this.#rows.get(keyOf(port, undefined))?.connections ?? 0 })),
      plaintext: rows.toReversed().flatMap((row) => (row.address === undefined ? [] : [shownClient(row, row.address)])),
      forgotten: this.#forgotten,
    }
  }

  #row({ port }: Address, address: string | undefined): Row {
    const key = keyOf(port, address)
    const now = this.#clock.now()
    const known = this.#rows.get(key)
    if (known !== undefined) this.#rows.delete(key)
    else if (this.#rows.size >= this.#maxRows) this.#forget()
    const row = known ?? { port, address, connections: 0, refused: 0, first: now, last: now, says: new Set() }
    row.last = now
    this.#rows.set(key, row)
    return row
  }

  #forget(): void {
    const [oldest] = this.#rows.keys()
    if (oldest === undefined) return
    this.#rows.delete(oldest)
    this.#forgotten++
  }
}

const keyOf = (port: number, address: string | undefined): string => `${port} ${address ?? ''}`

function shownClient({ port, connections, refused, first, last, says }: Row, address: string): PlaintextClient {
  return { port, address, connections, refused, first: new Date(first).toISOString(), last: new Date(last).toISOString(), says: [...says] }
}
