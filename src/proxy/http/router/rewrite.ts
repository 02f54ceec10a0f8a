// Rewrites of path and host on the way upstream.
import type { RegexMatchAndSubstitute } from '../../../proto/gen/envoy/type/matcher/v3/regex_pb.ts'
import type { RouteAction, RouteMatch } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { matchedLength } from './path-condition.ts'
import { badConfig } from './problem.ts'
import { compileReplacement } from './regex.ts'
import type { RoutedRequest } from './request.ts'

/** The new path, without query. */
export type RewritePath = (pathname: string) => string

export function compilePathRewrite(action: RouteAction, match: RouteMatch | undefined): RewritePath | undefined {
  if (action.pathRewritePolicy !== undefined) throw badConfig('path_rewrite_policy is not served yet')
  if (action.prefixRewrite !== '' && action.regexRewrite !== undefined) throw badConfig('prefix_rewrite and regex_rewrite exclude each other')
  if (action.regexRewrite !== undefined) return regexRewrite(action.regexRewrite)
  return action.prefixRewrite === '' ? undefined : prefixRewrite(action.prefixRewrite, match)
}

export const prefixRewrite = (prefix: string, match: RouteMatch | undefined): RewritePath =>
  (pathname) => prefix + pathname.slice(matchedLength(match, pathname))

export function regexRewrite({ pattern, substitution }: RegexMatchAndSubstitute): RewritePath {
  return compileReplacement(pattern?.regex ?? '', substitution)
}

/** The new authority; undefined keeps the one that is there. */
export type RewriteHost = string | ((request: RoutedRequest) => string | undefined) | undefined

export function compileHostRewrite({ hostRewriteSpecifier: { case: kind, value } }: RouteAction): RewriteHost {
  switch (kind) {
    case undefined: return undefined
    case 'hostRewriteLiteral': return value
    case 'hostRewriteHeader': return ({ requestHeaders }) => requestHeaders.get(value.toLowerCase())
    case 'hostRewritePathRegex': {
      const rewrite = regexRewrite(value)
      return ({ pathname }) => rewrite(pathname)
    }
    case 'autoHostRewrite': {
      if (value.value) throw badConfig('auto_host_rewrite is not served yet')
      return undefined
    }
  }
}
