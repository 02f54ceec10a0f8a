// The answer of `trysail explain`: makes the client's xDS, lets the proxy's own matchers decide, and asks the proxies of
// the destination whether they would take the connection. The shape is part of the command's contract.
import type { WorldState } from '../control/world-state.ts'
import type { ProxySession } from '../control/world-state.ts'
import { typeUrls } from '../control/translate/table.ts'
import type { TypeName } from '../control/translate/table.ts'
import type { DeploymentSpec } from '../kinds/core/deployment.ts'
import type { Resource } from '../model/resource.ts'
import { compileExplainer } from '../proxy/explain.ts'
import type { Explanation } from '../proxy/explain.ts'
import { findClient } from './explain-client.ts'
import { destinationOf, namesOf, outside } from './explain-destination.ts'
import { leftOut } from './explain-left-out.ts'
import { receptionOf } from './explain-reception.ts'
import type { Denial } from './explain-reception.ts'
import type { AskedRequest } from './request-line.ts'

type Policy = NonNullable<Explanation['policy']> & {
  /** What the destination's proxies ask for: STRICT, PERMISSIVE or DISABLE, several where they differ; null without proxies. */
  readonly peerAuthentication: string | null
}

export interface Answer extends Omit<Explanation, 'policy'> {
  readonly from: string
  readonly request: {
    readonly method: string
    readonly scheme: string
    readonly host: string
    readonly port: number
    readonly authority: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
  }
  readonly policy: Policy | null
  readonly denied: false | Denial
}

export interface OfflineWorld {
  readonly state: WorldState
  readonly deployments: readonly Resource<DeploymentSpec>[]
}

export function answer({ state, deployments }: OfflineWorld, from: string, asked: AskedRequest): Answer {
  const client = findClient(state.snapshot, deployments, from)
  const session = state.connect(client.node)
  const destination = destinationOf(asked, session.node, state.snapshot)
  const explain = compileExplainer({
    listeners: sent(session, 'LDS'), routes: sent(session, 'RDS'), clusters: sent(session, 'CDS'), endpoints: sent(session, 'EDS'),
  })
  const source = { host: client.type === 'router' ? outside : client.address, port: 0 }
  const explained = explain({ ...asked, destination, source })
  const { modes, denial } = receptionOf(state, session.node, explained, source)
  const { method, scheme, host, authority, path } = asked
  const hosts = [...namesOf(host, session.node.namespace, state.snapshot.mesh.domain), ...hostOf(explained)]
  const never = leftOut({
    proxy: session.node, snapshot: state.snapshot, hosts, port: destination.port, matched: explained.matchedVirtualService,
    declared: !explained.passthrough && !explained.blocked,
  })
  return inOrder({
    ...explained,
    from: client.name,
    request: { method, scheme, host, port: asked.port ?? destination.port, authority, path, headers: Object.fromEntries(asked.headers) },
    policy: explained.policy === null ? null : { ...explained.policy, peerAuthentication: modes.length === 0 ? null : modes.join(', ') },
    considered: [...explained.considered, ...never],
    denied: denial ?? false,
    status: denial === undefined ? explained.status : (explained.status ?? deniedStatus),
  })
}

/** A request to an address means the service that has it: virtual hosts are named `host:port`. */
const hostOf = ({ virtualHost }: Explanation): readonly string[] => (virtualHost === null ? [] : [virtualHost.slice(0, virtualHost.lastIndexOf(':'))])

/** What the client's own proxy answers when its connections are closed. */
const deniedStatus = 503

const sent = (session: ProxySession, type: TypeName): readonly Uint8Array[] => session.all(typeUrls[type]).map(({ bytes }) => bytes)

/** Every key, always, in the order in which the documentation has them. */
function inOrder(all: Answer): Answer {
  const {
    from, request, listener, virtualHost, matchedVirtualService, routeIndex, routeName, matchIndex, destinations, timeout, retries, faults,
    rewrite, redirect, directResponse, headers, mirrors, policy, denied, status, passthrough, blocked, considered, origin,
  } = all
  return {
    from, request, listener, virtualHost, matchedVirtualService, routeIndex, routeName, matchIndex, destinations, timeout, retries, faults,
    rewrite, redirect, directResponse, headers, mirrors, policy, denied, status, passthrough, blocked, considered, origin,
  }
}
