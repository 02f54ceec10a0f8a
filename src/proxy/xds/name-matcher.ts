// Compiles StringMatcher for names in certificates: exact, prefix, suffix, contains, and regex in linear time.
import { RE2JS } from 're2js'
import { MeshError } from '../../lib/errors.ts'
import type { StringMatcher } from '../../proto/gen/envoy/type/matcher/v3/string_pb.ts'

export type NameMatcher = (name: string) => boolean

export function compileNameMatcher(matcher: StringMatcher): NameMatcher {
  const { case: kind, value } = matcher.matchPattern
  const fold = matcher.ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text
  switch (kind) {
    case 'exact': return folded(value, fold, (name, wanted) => name === wanted)
    case 'prefix': return folded(value, fold, (name, wanted) => name.startsWith(wanted))
    case 'suffix': return folded(value, fold, (name, wanted) => name.endsWith(wanted))
    case 'contains': return folded(value, fold, (name, wanted) => name.includes(wanted))
    case 'safeRegex': return regex(value.regex)
    default: throw new MeshError('proxy/bad-config', `a string matcher of kind ${kind ?? 'none'} is not supported`)
  }
}

function folded(value: string, fold: (text: string) => string, test: (name: string, wanted: string) => boolean): NameMatcher {
  const wanted = fold(value)
  return (name) => test(fold(name), wanted)
}

function regex(pattern: string): NameMatcher {
  try {
    const compiled = RE2JS.compile(pattern)
    return (name) => compiled.matcher(name).matches()
  } catch (cause) {
    throw new MeshError('proxy/bad-config', `not an RE2 expression: ${pattern}`, cause)
  }
}
