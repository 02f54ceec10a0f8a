// Which statuses outlier detection takes for errors, where a cluster says so: a predicate over `:status` in its HTTP options.
// Others than a choice of exact statuses are refused rather than read as something else.
import { MeshError } from '../../../lib/errors.ts'
import type { MatchPredicate } from '../../../proto/gen/envoy/config/common/matcher/v3/matcher_pb.ts'
import type { HeaderMatcher } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { HttpProtocolOptions } from '../../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'

/** Undefined: 500 to 599. */
export function errorCodesOf(cluster: string, options: HttpProtocolOptions | undefined): ReadonlySet<number> | undefined {
  const matcher = options?.outlierDetection?.errorMatcher
  if (matcher === undefined) return undefined
  const codes = codesOf(matcher)
  if (codes === undefined) throw new MeshError('proxy/bad-config', `cluster ${cluster}: outlier detection by anything but exact statuses is not supported`)
  return new Set(codes)
}

function codesOf({ rule }: MatchPredicate): readonly number[] | undefined {
  if (rule.case === 'httpResponseHeadersMatch') {
    const [only, ...more] = rule.value.headers
    const code = only === undefined || more.length > 0 ? undefined : codeOf(only)
    return code === undefined ? undefined : [code]
  }
  if (rule.case !== 'orMatch') return undefined
  const all = rule.value.rules.map(codesOf)
  return all.includes(undefined) ? undefined : all.flatMap((one) => one ?? [])
}

function codeOf({ name, invertMatch, headerMatchSpecifier: { case: kind, value } }: HeaderMatcher): number | undefined {
  if (name !== ':status' || invertMatch || kind !== 'stringMatch' || value.matchPattern.case !== 'exact' || value.ignoreCase) return undefined
  return /^\d{3}$/.test(value.matchPattern.value) ? Number(value.matchPattern.value) : undefined
}
