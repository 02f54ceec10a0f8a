// Asks a cluster for the host of one try: by the hash of the request, where the client meant to go, and away from what
// earlier tries have shown.
import type { ChoiceContext, Cluster, Host } from '../upstream/types.ts'
import type { Exchange } from './exchange.ts'
import type { CompiledRetry } from './router/retry-policy.ts'

/** One for all: balancers read it during the call and do not keep it. */
const choice: { -readonly [Field in keyof ChoiceContext]: ChoiceContext[Field] } = { hash: undefined, originalDestination: undefined, tried: [], avoidPriorities: [], authority: '' }
const noHosts: readonly Host[] = []
const noPriorities: readonly number[] = []

/** Undefined when none is usable. The host of the try before counts as tried from now on. */
export function chooseHost(exchange: Exchange, cluster: Cluster, retry: CompiledRetry | undefined): Host | undefined {
  if (exchange.host !== undefined) exchange.tried = [...exchange.tried, exchange.host]
  choice.hash = exchange.hash
  choice.originalDestination = exchange.connection.destinationOf(exchange.authority)
  choice.authority = exchange.authority
  choice.tried = retry?.avoidTriedHosts === true ? exchange.tried : noHosts
  choice.avoidPriorities = exchange.tried.length === 0 ? noPriorities : prioritiesToLeave(exchange, retry)
  return cluster.chooseHost(choice)
}

/** Those that were tried, looked at anew every few tries; for the ones between, what was found last holds. */
function prioritiesToLeave({ tried }: Exchange, retry: CompiledRetry | undefined): readonly number[] {
  const after = retry?.leavePrioritiesAfter ?? 0
  if (after === 0 || tried.length < after) return noPriorities
  return tried.slice(0, tried.length - (tried.length % after)).map(({ priority = 0 }) => priority)
}
