// envoy.filters.network.rbac: connections that policies do not allow are closed without a byte. All that is asked about is
// known when a connection has its chain, so it is decided before an upstream hears of it. Envoy waits for the first byte.
import type { Clock } from '../../../lib/clock.ts'
import type { Transport } from '../../../net/transport.ts'
import type { IpFact, IpNumber, RbacFacts } from '../../../security/rbac/expression.ts'
import type { Arrived } from '../../listen/connection.ts'
import { serverNameOf } from '../../listen/detect.ts'
import type { RbacCounters } from '../../rbac/counters.ts'
import { compileEngines, denialDetails } from '../../rbac/engine.ts'
import type { Engines } from '../../rbac/engine.ts'
import { identitiesOf } from '../../rbac/identities.ts'
import { LastIp } from '../../rbac/ips.ts'
import type { ClusterLookup } from '../../upstream/types.ts'
import type { Guard } from '../../xds/listener.ts'
import { ConnectionAsker } from './ext-authz.ts'
import type { ConnectionMetadata, ProviderDenial } from './ext-authz.ts'

export interface GuardParts {
  readonly counters: RbacCounters
  readonly clusters: ClusterLookup
  readonly clock: Clock
}

/** What the transport says of the client. */
type Proven = Pick<Transport, 'remoteAddress' | 'tls'>

export interface ConnectionVerdict {
  /** Envoy's words for a connection that is not allowed. */
  readonly denial: string | undefined
  /** The policy that marks it. */
  readonly audited: string | undefined
  /** Others have to be asked before it goes on; never rejects. Undefined: nobody. */
  readonly asks: (() => Promise<ProviderDenial | undefined>) | undefined
}

/** What stands before the bytes of a filter chain. */
export class ConnectionGuard {
  readonly #engines: readonly (Engines & { readonly shadowPrefix: string })[]
  readonly #askers: readonly ConnectionAsker[]

  /** Throws for rules that it does not understand. */
  constructor(guards: readonly Guard[], { counters, clusters, clock }: GuardParts) {
    const rules = guards.flatMap((guard) => (guard.kind === 'rbac' ? [guard.config] : []))
    this.#engines = rules.map((config) => ({ ...compileEngines(config, `${config.statPrefix}rbac.`, counters), shadowPrefix: config.shadowRulesStatPrefix }))
    this.#askers = guards.flatMap((guard) => (guard.kind === 'ext-authz' ? [new ConnectionAsker(guard.config, clusters, clock)] : []))
  }

  /** What the proxy's own policies deny is asked about nowhere: the answer would change nothing. */
  decide(connection: Arrived, transport: Proven): ConnectionVerdict {
    const facts = new ConnectionRbacFacts(connection, transport)
    const marks: Record<string, unknown> = {}
    let audited: string | undefined
    for (const { enforced, shadow, shadowPrefix } of this.#engines) {
      const tried = shadow?.decide(facts)
      if (tried !== undefined) Object.assign(marks, { [`${shadowPrefix}shadow_engine_result`]: tried.allowed ? 'allowed' : 'denied', ...(tried.policy !== '' && { [`${shadowPrefix}shadow_effective_policy_id`]: tried.policy }) })
      const verdict = enforced?.decide(facts)
      if (verdict?.allowed === false) return { denial: denialDetails(verdict.policy), audited, asks: undefined }
      if (verdict?.marked === true) audited = verdict.policy
    }
    const metadata: ConnectionMetadata = new Map([[namespace, marks]])
    const meant = this.#askers.filter((asker) => asker.isMeant(metadata))
    return { denial: undefined, audited, asks: meant.length === 0 ? undefined : () => inTurn(meant, connection, transport) }
  }

  /** Somebody else may have to be asked about a connection. */
  get mayAsk(): boolean {
    return this.#askers.length > 0
  }

  /** Its denial, for those who only ask: it is not counted. */
  judge(connection: Arrived, transport: Proven): string | undefined {
    const facts = new ConnectionRbacFacts(connection, transport)
    for (const { enforced } of this.#engines) {
      const verdict = enforced?.judge(facts)
      if (verdict?.allowed === false) return denialDetails(verdict.policy)
    }
    return undefined
  }
}

const namespace = 'envoy.filters.network.rbac'

async function inTurn(askers: readonly ConnectionAsker[], connection: Arrived, transport: Proven): Promise<ProviderDenial | undefined> {
  for (const asker of askers) {
    const denial = await asker.denial(connection, transport)
    if (denial !== undefined) return denial
  }
  return undefined
}

const ips = { source: new LastIp(), destination: new LastIp() }

class ConnectionRbacFacts implements RbacFacts {
  readonly identities: readonly string[] | undefined
  readonly serverName: string
  readonly destinationPort: number
  readonly path = undefined
  readonly #connection: Arrived
  readonly #transport: Proven

  constructor(connection: Arrived, transport: Proven) {
    this.#connection = connection
    this.#transport = transport
    this.identities = identitiesOf(transport.tls)
    this.serverName = transport.tls?.serverName ?? serverNameOf(connection.inbound)
    this.destinationPort = connection.arrival.originalDestination.port
  }

  ip(fact: IpFact): IpNumber | undefined {
    if (fact === 'destination') return ips.destination.of(this.#connection.arrival.originalDestination)
    return ips.source.of(this.#transport.remoteAddress)
  }

  header(): undefined {
    return undefined
  }

  metadata(): undefined {
    return undefined
  }
}
