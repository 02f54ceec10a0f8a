// The path part of a RouteMatch. The query is not looked at.
import type { RouteMatch } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { badConfig } from './problem.ts'
import type { Condition, RoutedRequest } from './request.ts'
import { exactly, matchesRegex, startsWith } from './text-match.ts'
import type { TextMatch } from './text-match.ts'

/** Undefined when every path matches. */
export function pathCondition({ pathSpecifier: { case: kind, value }, caseSensitive }: RouteMatch): Condition | undefined {
  const ignoreCase = caseSensitive === false
  switch (kind) {
    case 'prefix': return value === '/' || value === '' ? undefined : onPath(startsWith(value, ignoreCase))
    case 'path': return onPath(exactly(value, ignoreCase))
    case 'safeRegex': return onPath(matchesRegex(value.regex))
    case 'pathSeparatedPrefix': return onPath(segments(value, ignoreCase))
    // Nothing that Istio's resources can say leads CONNECT on, and a route that never matched would only say 404.
    case 'connectMatcher': throw badConfig('connect_matcher is not served: CONNECT finds no route, and becomes no tunnel; take the route out, or serve it by another proxy')
    default: throw badConfig(`a path specifier of kind ${kind ?? 'none'} is not supported`)
  }
}

/** How much of a path a prefix rewrite takes away. */
export function matchedLength(match: RouteMatch | undefined, pathname: string): number {
  const specifier = match?.pathSpecifier
  return specifier?.case === 'prefix' || specifier?.case === 'pathSeparatedPrefix' ? specifier.value.length : pathname.length
}

function onPath({ test, words }: TextMatch): Condition {
  return {
    matches: ({ pathname }: RoutedRequest) => test(pathname),
    words: `path ${words}`,
    found: ({ pathname }) => `it is ${pathname}`,
  }
}

/** `/foo` matches `/foo` and `/foo/bar`, not `/foobar`. */
function segments(value: string, ignoreCase: boolean): TextMatch {
  if (!value.startsWith('/') || value.endsWith('/') || value.includes('?')) {
    throw badConfig(`path_separated_prefix ${value} must begin and must not end with a slash, and has no query`)
  }
  const { test } = startsWith(value, ignoreCase)
  return {
    test: (path) => test(path) && (path.length === value.length || path.charCodeAt(value.length) === 0x2f),
    words: `begins with the segments of "${value}"${ignoreCase ? ' in any case' : ''}`,
  }
}
