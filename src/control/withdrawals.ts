// Workloads whose proxies are about to end, or say that their application takes no requests: nobody is sent to them, whatever
// their registry says, until a proxy of the same workload says otherwise; one that never says how its application is says so
// by joining. A proxy speaks for the workload at its own addresses, of its own identity, and for no other.
import type { Endpoint } from '../model/service.ts'
import type { ConnectingNode } from './serve/resource-source.ts'
import { readProxyNode } from './translate/proxy-node.ts'
import { readinessMetadata } from '../xds/readiness.ts'

/** As many as there may be connections of proxies; of more, the oldest are forgotten: they have ended long ago. */
const maxLeft = 10_000

/** Of one workload: both families, and a few networks. */
const maxAddresses = 16

interface Left {
  readonly namespace: string
  readonly serviceAccount: string
  readonly network: string
}

export class Withdrawals {
  /** By each of their addresses. */
  readonly #left = new Map<string, readonly Left[]>()
  readonly #onChange: () => void
  #of: readonly Endpoint[] | undefined = undefined
  #applied: readonly Endpoint[] = []

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** A proxy has joined: its workload is there, unless it will say itself when it is. */
  joined(node: ConnectingNode): void {
    if (node.metadata?.[readinessMetadata] !== 'true') this.report(node, true)
  }

  /** A proxy says that it will end. */
  leave(node: ConnectingNode): void {
    this.report(node, false)
  }

  /** Whether its workload takes requests. False: so it was. */
  report(node: ConnectingNode, takesRequests: boolean): boolean {
    if ((takesRequests && this.#left.size === 0) || !this.#replace(node, !takesRequests)) return false
    this.#forgetOldest()
    this.#changed()
    return true
  }

  #forgetOldest(): void {
    for (const address of this.#left.keys()) {
      if (this.#left.size <= maxLeft) break
      this.#left.delete(address)
    }
  }

  /** The same list as before as long as nothing has changed. */
  apply(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    if (this.#left.size === 0) return endpoints
    if (this.#of !== endpoints) {
      this.#of = endpoints
      this.#applied = endpoints.map((one) => (this.#hasLeft(one) ? Object.freeze({ ...one, health: 'unhealthy' as const }) : one))
    }
    return this.#applied
  }

  #hasLeft({ address, namespace, workload, serviceAccount, network }: Endpoint): boolean {
    const owner = workload === '' ? namespace : workload.slice(0, workload.indexOf('/'))
    return this.#left.get(address)?.some((one) => one.namespace === owner && (one.network === '' || one.network === network) && (serviceAccount === '' || one.serviceAccount === serviceAccount)) === true
  }

  /** Whether that makes a difference. */
  #replace(node: ConnectingNode, leaves: boolean): boolean {
    const { namespace, serviceAccount, network, addresses } = readProxyNode(node)
    let changed = false
    for (const address of addresses.slice(0, maxAddresses)) {
      const before = this.#left.get(address) ?? []
      const others = before.filter((one) => one.namespace !== namespace || one.serviceAccount !== serviceAccount || one.network !== network)
      if ((others.length < before.length) === leaves) continue
      changed = true
      const next = leaves ? [...others, { namespace, serviceAccount, network }] : others
      if (next.length === 0) this.#left.delete(address)
      else this.#left.set(address, next)
    }
    return changed
  }

  #changed(): void {
    this.#of = undefined
    this.#onChange()
  }
}
