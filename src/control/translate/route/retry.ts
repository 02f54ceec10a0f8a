// Retry policies: what a rule says, else the mesh's, else Istio's built-in one (traffic spec 2.6).
import { PreviousHostsPredicateSchema } from '../../../proto/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts'
import { PreviousPrioritiesConfigSchema } from '../../../proto/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import { RetryPolicy_ResetHeaderFormat as ResetFormat } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RetryPolicySchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { HttpRetry } from '../../virtual-service-spec.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'

type RetryPolicyInit = Init<typeof RetryPolicySchema>

const builtInTriggers = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes'

/** Undefined when retries are off. `hashed`: the route has a hash policy, so a retry goes to the same host. */
export function retryPolicy(own: HttpRetry | undefined, fallback: HttpRetry, hashed: boolean): RetryPolicyInit | undefined {
  const retry = own ?? fallback
  const attempts = retry.attempts ?? (own === undefined ? 2 : 0)
  if (attempts === 0) return undefined
  const { triggers, statusCodes } = parseTriggers(retry.retryOn || fallback.retryOn || builtInTriggers)
  const avoidTried = retry.retryIgnorePreviousHosts ?? !hashed
  return {
    retryOn: triggers,
    retriableStatusCodes: statusCodes,
    numRetries: attempts,
    ...(retry.perTryTimeout !== undefined && retry.perTryTimeout > 0 && { perTryTimeout: durationOf(retry.perTryTimeout) }),
    ...(retry.backoff !== undefined && retry.backoff > 0 && {
      retryBackOff: { baseInterval: durationOf(retry.backoff), maxInterval: durationOf(retry.backoff * 10) },
    }),
    ...(retry.retryRemoteLocalities === true && { retryPriority: previousPriorities() }),
    ...(asksToWait(triggers, statusCodes) && { rateLimitedRetryBackOff: retryAfter }),
    ...(avoidTried && { retryHostPredicate: [previousHosts()], hostSelectionRetryMaxAttempts: 5n }),
  }
}

/** Numbers are status codes; they switch their trigger on. */
function parseTriggers(text: string): { triggers: string; statusCodes: number[] } {
  const tokens = text.split(',').map((token) => token.trim()).filter((token) => token !== '')
  const statusCodes = tokens.filter((token) => /^\d{3}$/.test(token)).map(Number)
  const names = tokens.filter((token) => !/^\d+$/.test(token))
  if (statusCodes.length > 0 && !names.includes('retriable-status-codes')) names.push('retriable-status-codes')
  return { triggers: names.join(','), statusCodes }
}

const previousHosts = () => ({
  name: 'envoy.retry_host_predicates.previous_hosts',
  configType: { case: 'typedConfig' as const, value: packed(PreviousHostsPredicateSchema, {}) },
})

/** Every second retry leaves the priorities that were tried: with failover those are localities. */
const previousPriorities = () => ({
  name: 'envoy.retry_priorities.previous_priorities',
  configType: { case: 'typedConfig' as const, value: packed(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }) },
})

/**
 * Who retries what a server refused because of its load does so when the server says, if it says (Istio has no word for it).
 * Longer waits than this are not waited for: the usual back-off holds then.
 */
const retryAfter = { resetHeaders: [{ name: 'Retry-After', format: ResetFormat.SECONDS }], maxInterval: durationOf(30_000) }

const asksToWait = (triggers: string, statusCodes: readonly number[]): boolean =>
  triggers.split(',').includes('envoy-ratelimited') || statusCodes.includes(429)
