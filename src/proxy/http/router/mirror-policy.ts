// RequestMirrorPolicy compiled: where copies of a route's requests go, and how many of them (traffic spec 1.2.4).
import type { RouteAction_RequestMirrorPolicy as MirrorPolicy } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { probabilityOf } from './fraction.ts'
import { badConfig } from './problem.ts'
import type { Random, RoutedRequest } from './request.ts'

export interface CompiledMirror {
  /** Empty with `clusterHeader`. */
  readonly clusterName: string
  readonly clusterHeader: string
  readonly probability: number
  /** Copies go to `reviews-shadow` instead of `reviews`, so that their logs can be told apart. */
  readonly shadowHost: boolean
}

/** Without a fraction every request is copied. */
export function compileMirrors(policies: readonly MirrorPolicy[]): readonly CompiledMirror[] {
  return policies.map(({ cluster, clusterHeader, runtimeFraction, disableShadowHostSuffixAppend }) => {
    if (cluster === '' && clusterHeader === '') throw badConfig('request_mirror_policies: neither cluster nor cluster_header')
    return {
      clusterName: cluster,
      clusterHeader: clusterHeader.toLowerCase(),
      probability: runtimeFraction === undefined ? 1 : probabilityOf(runtimeFraction.defaultValue),
      shadowHost: !disableShadowHostSuffixAppend,
    }
  })
}

export const draws = ({ probability }: CompiledMirror, random: Random): boolean => probability >= 1 || random() < probability

export function clusterOfMirror({ clusterName, clusterHeader }: CompiledMirror, { requestHeaders }: Pick<RoutedRequest, 'requestHeaders'>): string {
  return clusterHeader === '' ? clusterName : (requestHeaders.get(clusterHeader) ?? '')
}

/** `reviews:80` becomes `reviews-shadow:80`. An address cannot have a suffix; Envoy gives it one all the same. */
export function shadowAuthority(authority: string): string {
  const colon = authority.lastIndexOf(':')
  const hasPort = colon !== -1 && colon > authority.lastIndexOf(']') && /^\d+$/.test(authority.slice(colon + 1))
  return hasPort ? `${authority.slice(0, colon)}-shadow${authority.slice(colon)}` : `${authority}-shadow`
}
