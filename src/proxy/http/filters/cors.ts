// CORS by the route's policy (traffic spec 1.2.4): answers preflight requests from allowed origins, and says to the
// browser which origins may read a response. Requests from other origins go on as they are.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { CorsPolicySchema } from '../../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { CorsPolicy } from '../../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter, LocalReply } from '../filter.ts'
import { probabilityOf } from '../router/fraction.ts'
import { badConfig } from '../router/problem.ts'
import { compileTextMatch } from '../router/text-match.ts'
import type { FilterKind } from './table.ts'

export const cors: FilterKind = {
  overrideType: CorsPolicySchema.typeName,
  create(_config, override, { random, slot }) {
    if (override === undefined) return undefined
    const policy = anyUnpack(override, CorsPolicySchema)
    if (policy === undefined) throw badConfig(`${override.typeUrl} is not a CORS policy`)
    const enabled = policy.filterEnabled === undefined ? 1 : probabilityOf(policy.filterEnabled.defaultValue)
    return enabled === 0 ? undefined : corsFilter(policy, slot, () => enabled === 1 || random() < enabled)
  },
}

function corsFilter(policy: CorsPolicy, slot: number, enabled: () => boolean): Filter {
  const origins = policy.allowOriginStringMatch.map(compileTextMatch)
  const allowed = (origin: string): boolean => origins.some(({ test }) => test(origin))
  return {
    name: 'cors',
    onRequest(exchange) {
      const origin = exchange.requestHeaders.get('origin')
      if (origin === undefined || origin === '' || !enabled()) return undefined
      const known = allowed(origin)
      if (isPreflight(exchange)) {
        if (known) return preflightReply(policy, origin)
        return policy.forwardNotMatchingPreflights === false ? refusedPreflight : undefined
      }
      if (known) exchange.slots[slot] = origin
      return undefined
    },
    onResponse(exchange, headers) {
      const origin = exchange.slots[slot]
      if (typeof origin !== 'string') return
      headers.set('access-control-allow-origin', origin)
      if (allowsCredentials(policy)) headers.set('access-control-allow-credentials', 'true')
      if (policy.exposeHeaders !== '') headers.set('access-control-expose-headers', policy.exposeHeaders)
    },
  }
}

export function isPreflight({ method, requestHeaders }: Exchange): boolean {
  return method === 'OPTIONS' && (requestHeaders.get('access-control-request-method') ?? '') !== ''
}

const allowsCredentials = ({ allowCredentials }: CorsPolicy): boolean => allowCredentials === true

const corsReply = (headers: readonly string[]): LocalReply =>
  ({ status: 200, body: '', details: 'cors_response', flags: '', headers, grpcStatus: undefined })

const refusedPreflight = corsReply([])

function preflightReply(policy: CorsPolicy, origin: string): LocalReply {
  const headers = ['access-control-allow-origin', origin]
  if (allowsCredentials(policy)) headers.push('access-control-allow-credentials', 'true')
  if (policy.allowMethods !== '') headers.push('access-control-allow-methods', policy.allowMethods)
  if (policy.allowHeaders !== '') headers.push('access-control-allow-headers', policy.allowHeaders)
  if (policy.maxAge !== '') headers.push('access-control-max-age', policy.maxAge)
  return corsReply(headers)
}
