// Compiles QueryParameterMatcher: the first value of a parameter, as it stands in the URL.
import type { QueryParameterMatcher } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { foundValue } from './header-condition.ts'
import type { Condition } from './request.ts'
import { compileTextMatch } from './text-match.ts'

export function queryCondition({ name, queryParameterMatchSpecifier: { case: kind, value } }: QueryParameterMatcher): Condition {
  const found = ({ query }: { readonly query: string }) => foundValue(firstValue(query, name))
  if (kind !== 'stringMatch') {
    const wanted = kind === undefined || value
    return {
      matches: ({ query }) => (firstValue(query, name) !== undefined) === wanted,
      words: `query parameter ${name} is ${wanted ? 'there' : 'absent'}`,
      found,
    }
  }
  const { test, words } = compileTextMatch(value)
  return {
    matches({ query }) {
      const actual = firstValue(query, name)
      return actual !== undefined && test(actual)
    },
    words: `query parameter ${name} ${words}`,
    found,
  }
}

/** `a` alone is a parameter with an empty value. */
export function firstValue(query: string, name: string): string | undefined {
  for (let at = 0; at < query.length; ) {
    const ampersand = query.indexOf('&', at)
    const end = ampersand === -1 ? query.length : ampersand
    if (query.startsWith(name, at)) {
      const after = at + name.length
      if (after === end) return ''
      if (query.charCodeAt(after) === 0x3d) return query.slice(after + 1, end)
    }
    at = end + 1
  }
  return undefined
}
