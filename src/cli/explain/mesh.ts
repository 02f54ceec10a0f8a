// Asks the proxies of a mesh that only files describe: makes each client's xDS once, lets the proxy's own matchers decide,
// and asks the proxies of the destination whether they would take the connection. For one request or for thousands.
import type { ProxySession, WorldState } from '../../control/world-state.ts'
import type { ProxyNode } from '../../control/translate/proxy-node.ts'
import { typeUrls } from '../../control/translate/table.ts'
import type { TypeName } from '../../control/translate/table.ts'
import type { DeploymentSpec } from '../../kinds/core/deployment.ts'
import type { Address } from '../../model/address.ts'
import type { Resource } from '../../model/resource.ts'
import { compileExplainer, presentTo } from '../../proxy/explain.ts'
import type { Denial, Explain, Explanation, Presented } from '../../proxy/explain.ts'
import { denialBehind, tokensBehind } from './authorization.ts'
import { findClient } from './client.ts'
import type { Client } from './client.ts'
import { destinationOf, namesOf, outside } from './destination.ts'
import { resolvedBy } from './names.ts'
import { leftOut } from './left-out.ts'
import type { LeftOut } from './left-out.ts'
import { askedBy, receptionOf } from './reception.ts'
import type { Reception } from './reception.ts'
import type { AskedRequest } from '../request-line.ts'
import { withToldToken } from '../token-options.ts'

export interface OfflineWorld {
  readonly state: WorldState
  readonly deployments: readonly Resource<DeploymentSpec>[]
}

/** A client, and all that its proxy was sent. */
interface Asker {
  readonly client: Client
  readonly session: ProxySession
  readonly explain: Explain
  readonly listeners: readonly Uint8Array[]
  readonly destinations: Map<string, Address>
  readonly receptions: Map<string, Reception>
}

export interface Outcome {
  /** `namespace/name` of who asked. */
  readonly from: string
  /** Whose proxy it is: short names are of its namespace. */
  readonly node: ProxyNode
  readonly explained: Explanation
  readonly reception: Reception
  /** By the policies of all destinations that take the connection. */
  readonly authorization: Denial | undefined
  /** Of a destination's answer to a token that does not do. */
  readonly tokenStatus?: number | undefined
  readonly destination: Address
}

export class MeshExplainer {
  readonly #world: OfflineWorld
  readonly #askers = new Map<string, Asker>()

  constructor(world: OfflineWorld) {
    this.#world = world
  }

  /** Throws `UsageError` for a client that nobody knows, `proxy/bad-config` where its proxy would refuse what it is sent. */
  explain(from: string, asked: AskedRequest, presented?: Presented): Outcome {
    const asker = this.#asker(from)
    const { client, session } = asker
    const destination = this.#destinationOf(asker, asked)
    const source = { host: asked.sourceIp ?? (client.type === 'router' ? outside : client.address), port: 0 }
    const explained = asker.explain({ ...asked, destination, source, presented })
    const reception = this.#receptionOf(asker, explained, source)
    const visitor = { node: session.node, trustDomain: this.#world.state.snapshot.mesh.trustDomain, source }
    return { from: client.name, node: session.node, explained, reception, destination, authorization: denialBehind(reception.doors, visitor, explained, asked) }
  }

  /** The same, with the request's tokens verified: by the gateway that it comes to, and by what stands behind. */
  async explainTokens(from: string, asked: AskedRequest): Promise<Outcome> {
    const { client, session, listeners } = this.#asker(from)
    const first = this.explain(from, asked)
    const source = { host: asked.sourceIp ?? (client.type === 'router' ? outside : client.address), port: 0 }
    const presented = client.type === 'router' ? await presentTo(listeners, { ...asked, destination: first.destination, source }) : undefined
    const told = presented?.refusal === undefined ? presented : { ...presented, refusal: { ...presented.refusal, reason: withToldToken(presented.refusal.reason, asked) } }
    const outcome = told === undefined ? first : this.explain(from, asked, told)
    const visitor = { node: session.node, trustDomain: this.#world.state.snapshot.mesh.trustDomain, source }
    const sent = presented === undefined ? asked : { ...asked, path: presented.path, headers: presented.headers }
    const { denial, status } = await tokensBehind(outcome.reception.doors, visitor, outcome.explained, sent)
    return { ...outcome, authorization: denial, tokenStatus: status }
  }

  /** What is for the asked host and never came to the client's proxy, and why. */
  leftOut(asked: AskedRequest, { node, explained, destination }: Outcome): readonly LeftOut[] {
    const { snapshot } = this.#world.state
    return leftOut({
      proxy: node, snapshot, port: destination.port, matched: explained.matchedVirtualService,
      hosts: [...namesOf(asked.host, node.namespace, snapshot.mesh.domain), ...hostOf(explained)],
      declared: !explained.passthrough && !explained.blocked, protocol: explained.protocol,
    })
  }

  /** What the client's look-up of the host finds; null where nothing is looked up. */
  resolve(from: string, { host }: AskedRequest): readonly string[] | null {
    return resolvedBy(this.#asker(from).session, host, this.#world.state.snapshot.mesh.domain)
  }

  #asker(from: string): Asker {
    const known = this.#askers.get(from)
    if (known !== undefined) return known
    const { state, deployments } = this.#world
    const client = findClient(state.snapshot, deployments, from)
    const session = state.connect(client.node)
    const sent = (type: TypeName): readonly Uint8Array[] => session.all(typeUrls[type]).map(({ bytes }) => bytes)
    const listeners = sent('LDS')
    const explain = compileExplainer({ listeners, routes: sent('RDS'), clusters: sent('CDS'), endpoints: sent('EDS') })
    const asker: Asker = { client, session, explain, listeners, destinations: new Map(), receptions: new Map() }
    this.#askers.set(from, asker)
    return asker
  }

  #destinationOf({ session, destinations }: Asker, asked: AskedRequest): Address {
    return remembered(destinations, `${asked.scheme} ${asked.host} ${asked.port ?? ''}`, () => destinationOf(asked, session.node, this.#world.state.snapshot))
  }

  /** The same destinations, reached in the same way from the same place, receive alike. */
  #receptionOf({ session, receptions }: Asker, explained: Explanation, source: Address): Reception {
    const { policy, protocol } = explained
    const key = [source.host, policy?.tls ?? '', protocol ?? '', ...askedBy(explained).map(({ cluster, workload }) => `${cluster} ${workload ?? ''}`)].join(' ')
    return remembered(receptions, key, () => receptionOf(this.#world.state, session.node, explained, source))
  }
}

function remembered<Value>(known: Map<string, Value>, key: string, find: () => Value): Value {
  const before = known.get(key)
  if (before !== undefined) return before
  const found = find()
  known.set(key, found)
  return found
}

/** A request to an address means the service that has it: virtual hosts are named `host:port`. */
const hostOf = ({ virtualHost }: Explanation): readonly string[] => (virtualHost === null ? [] : [virtualHost.slice(0, virtualHost.lastIndexOf(':'))])
