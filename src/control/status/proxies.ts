// Which proxies are connected and what each has taken: sent, acked and nacked per type, against the generation of the push.
import type { Clock } from '../../lib/clock.ts'
import type { ProxyNode } from '../translate/proxy-node.ts'
import { typeNames } from '../translate/table.ts'
import type { TypeName } from '../translate/table.ts'

export interface TypeStatus {
  /** Responses sent, acknowledged and refused. */
  sent: number
  acked: number
  nacked: number
  /** Generation of the last response that was sent; 0 for none. */
  generation: number
  /** Why the last refused response was refused; empty once one was accepted. */
  error: string
}

export interface ProxyStatus {
  readonly node: ProxyNode
  readonly connectedAt: number
  readonly types: ReadonlyMap<TypeName, Readonly<TypeStatus>>
  /** The last push that this proxy has all of; what it refused counts as not taken. */
  readonly generation: number
}

/** One connected proxy. The ADS stream reports what it sends and what comes back. */
export class ProxyRecord implements ProxyStatus {
  readonly node: ProxyNode
  readonly connectedAt: number
  readonly types = new Map<TypeName, TypeStatus>()
  readonly #pending = new Map<TypeName, number>()
  readonly #changed: () => void
  #seen = 0

  constructor(node: ProxyNode, clock: Clock, changed: () => void) {
    this.node = node
    this.connectedAt = clock.now()
    this.#changed = changed
  }

  /** The last push that was looked at, or the one before the oldest that has not been taken. */
  get generation(): number {
    return this.#pending.size === 0 ? this.#seen : Math.min(this.#seen, ...this.#pending.values()) - 1
  }

  sent(type: TypeName, generation: number): void {
    const status = this.#status(type)
    status.sent++
    status.generation = generation
    if (!this.#pending.has(type)) this.#pending.set(type, generation)
    this.#changed()
  }

  acked(type: TypeName): void {
    const status = this.#status(type)
    status.acked++
    status.error = ''
    this.#pending.delete(type)
    this.#changed()
  }

  nacked(type: TypeName, error: string): void {
    const status = this.#status(type)
    status.nacked++
    status.error = error
    this.#changed()
  }

  /** All that a push has for this proxy has been sent, possibly nothing. */
  pushed(generation: number): void {
    this.#seen = generation
    this.#changed()
  }

  #status(type: TypeName): TypeStatus {
    const known = this.types.get(type)
    if (known !== undefined) return known
    const fresh = { ...nothingSent }
    this.types.set(type, fresh)
    return fresh
  }
}

/** SYNCED, STALE, ERROR or NOT_SENT, as Istio's syncz says it. */
export function syncState(status: Readonly<TypeStatus> | undefined): string {
  if (status === undefined || status.sent === 0) return 'NOT_SENT'
  if (status.error !== '') return 'ERROR'
  return status.acked + status.nacked >= status.sent ? 'SYNCED' : 'STALE'
}

const nothingSent: Readonly<TypeStatus> = { sent: 0, acked: 0, nacked: 0, generation: 0, error: '' }

/** `trysail proxy-status -o json`: of every type, also of those that a proxy has never asked for. */
export function proxyStatusJson(proxies: Iterable<ProxyStatus>, now: number) {
  return {
    proxies: [...proxies].map((one) => ({
      node: one.node.id,
      version: one.node.version,
      connectedFor: `${Math.max(0, Math.round((now - one.connectedAt) / 1000))}s`,
      types: Object.fromEntries(typeNames.map((type) => {
        const status = one.types.get(type) ?? nothingSent
        return [type, { ...status, state: syncState(status) }]
      })),
    })),
  }
}
