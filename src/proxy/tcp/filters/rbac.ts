// envoy.filters.network.rbac: connections that policies do not allow are closed without a byte. All that is asked about is
// known when a connection has its chain, so it is decided before an upstream hears of it. Envoy waits for the first byte.
import type { RBAC } from '../../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import type { Transport } from '../../../net/transport.ts'
import type { IpFact, IpNumber, RbacFacts } from '../../../security/rbac/expression.ts'
import type { Arrived } from '../../listen/connection.ts'
import { serverNameOf } from '../../listen/detect.ts'
import type { RbacCounters } from '../../rbac/counters.ts'
import { compileEngines, denialDetails } from '../../rbac/engine.ts'
import type { Engines } from '../../rbac/engine.ts'
import { identitiesOf } from '../../rbac/identities.ts'
import { LastIp } from '../../rbac/ips.ts'

/** What the transport says of the client. */
type Proven = Pick<Transport, 'remoteAddress' | 'tls'>

export interface ConnectionVerdict {
  /** Envoy's words for a connection that is not allowed. */
  readonly denial: string | undefined
  /** The policy that marks it. */
  readonly audited: string | undefined
}

/** What stands before the bytes of a filter chain. */
export class ConnectionGuard {
  readonly #engines: readonly Engines[]

  /** Throws for rules that it does not understand. */
  constructor(configs: readonly RBAC[], counters: RbacCounters) {
    this.#engines = configs.map((config) => compileEngines(config, `${config.statPrefix}rbac.`, counters))
  }

  decide(connection: Arrived, transport: Proven): ConnectionVerdict {
    const facts = new ConnectionRbacFacts(connection, transport)
    let audited: string | undefined
    for (const { enforced, shadow } of this.#engines) {
      shadow?.decide(facts)
      const verdict = enforced?.decide(facts)
      if (verdict?.allowed === false) return { denial: denialDetails(verdict.policy), audited }
      if (verdict?.marked === true) audited = verdict.policy
    }
    return { denial: undefined, audited }
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
