// The answer of `trysail explain`: what the client's proxy would do, and whether the destination takes it. The shape is
// part of the command's contract, and what tests of routing expect is named as in it.
import type { Denial, Explanation } from '../../proxy/explain.ts'
import { MeshExplainer } from './mesh.ts'
import type { OfflineWorld, Outcome } from './mesh.ts'
import type { AskedRequest } from '../request-line.ts'

type Policy = NonNullable<Explanation['policy']> & {
  /** What the destination's proxies ask for: STRICT, PERMISSIVE or DISABLE, several where they differ; null without proxies. */
  readonly peerAuthentication: string | null
}

export interface Answer extends Omit<Explanation, 'policy' | 'denied'> {
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
  /** What the client's look-up of the host finds, where its look-ups are captured; none: that is for its resolvers to say; null: nothing is looked up, or it was not asked for. */
  readonly resolvesTo: readonly string[] | null
  readonly policy: Policy | null
  /** Null where the other end was not asked. */
  readonly denied: false | Denial | null
}

export async function answer(world: OfflineWorld, from: string, asked: AskedRequest): Promise<Answer> {
  const mesh = new MeshExplainer(world)
  const outcome = await mesh.explainTokens(from, asked)
  const without = answerOf(outcome, asked)
  return { ...without, resolvesTo: mesh.resolve(from, asked), considered: [...without.considered, ...mesh.leftOut(asked, outcome)] }
}

/** What the client's proxy was never sent is not among `considered`. */
export function answerOf({ from, explained, reception: { modes, denial: closed }, authorization, tokenStatus, destination }: Outcome, asked: AskedRequest): Answer {
  const { method, scheme, host, authority, path } = asked
  const denial = explained.denied ?? closed ?? authorization
  return inOrder({
    ...explained,
    from, resolvesTo: null,
    request: { method, scheme, host, port: asked.port ?? destination.port, authority, path, headers: Object.fromEntries(asked.headers) },
    policy: explained.policy === null ? null : { ...explained.policy, peerAuthentication: modes.length === 0 ? null : modes.join(', ') },
    denied: denial ?? false,
    status: denial === undefined ? explained.status : (explained.status ?? (closed === undefined && explained.protocol === 'http' ? tokenStatus ?? forbiddenStatus : deniedStatus)),
  })
}

/** What the client's own proxy answers when its connections are closed. */
const deniedStatus = 503
/** What the destination's proxy answers by its policies. */
const forbiddenStatus = 403

/** Every key, always, in the order in which the documentation has them. */
export function inOrder(all: Answer): Answer {
  const {
    from, request, resolvesTo, listener, protocol, tls, virtualHost, matchedVirtualService, routeIndex, routeName, matchIndex, destinations, timeout, retries, faults,
    rewrite, redirect, directResponse, headers, mirrors, session, chosen, policy, endpoints, denied, status, passthrough, blocked, considered, origin,
  } = all
  return {
    from, request, resolvesTo, listener, protocol, tls, virtualHost, matchedVirtualService, routeIndex, routeName, matchIndex, destinations, timeout, retries, faults,
    rewrite, redirect, directResponse, headers, mirrors, session, chosen, policy, endpoints, denied, status, passthrough, blocked, considered, origin,
  }
}
