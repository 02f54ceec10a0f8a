// Texts that RBAC compares: StringMatcher and path templates, with the key by which an index finds them.
import type { StringMatcher } from '../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import type { TextKey, TextTest } from '../../security/rbac/expression.ts'
import { badConfig } from '../http/router/problem.ts'
import { compileRegex } from '../http/router/regex.ts'
import { compileTextMatch } from '../http/router/text-match.ts'

export function textTest(matcher: StringMatcher): TextTest {
  const { matchPattern: { case: kind, value }, ignoreCase } = matcher
  if (kind === 'safeRegex') return regexTest(value.regex)
  return { ...compileTextMatch(matcher), key: keyOf(kind, value, ignoreCase) }
}

function keyOf(kind: string | undefined, value: unknown, folded: boolean): TextKey | undefined {
  if (typeof value !== 'string' || (kind !== 'exact' && kind !== 'prefix' && kind !== 'suffix')) return undefined
  return { kind, value: folded ? value.toLowerCase() : value, folded }
}

/** `.{0,}/ns/shop/.{0,}` with stars: the namespace of a peer, as Istio asks for it. */
const namespacePattern = /^\.\*\/ns\/([-\w]+)\/\.\*$/

function regexTest(pattern: string): TextTest {
  const words = `matches ${pattern}`
  if (pattern === '.+') return { test: (text) => text !== '' && isOneLine(text), words: 'is not empty', key: undefined }
  const namespace = namespacePattern.exec(pattern)?.[1]
  const regex = compileRegex(pattern)
  if (namespace === undefined) return { test: (text) => regex.testExact(text), words, key: literalKey(pattern) }
  const part = `/ns/${namespace}/`
  return { test: (text) => text.includes(part) && isOneLine(text), words: `is of namespace ${namespace}`, key: { kind: 'namespace', value: namespace, folded: false } }
}

/** A dot of RE2 is no line feed. */
const isOneLine = (text: string): boolean => !text.includes('\n')

/** What an expression begins or ends with literally. */
export function literalKey(pattern: string): TextKey | undefined {
  if (/\||\(\?|\\[^.+*?^$()[\]{}|\\/-]/.test(pattern)) return undefined
  const parts = [...pattern.matchAll(/\\(.)|\[(?:\\.|[^\]\\])*\]|[\s\S]/g)].map(([whole, escaped]) => escaped ?? (whole.length === 1 && !'.+*?^$()[]{}|\\'.includes(whole) ? whole : undefined))
  const firstOther = parts.indexOf(undefined)
  const raw = [...pattern.matchAll(/\\(.)|\[(?:\\.|[^\]\\])*\]|[\s\S]/g)].map(([whole]) => whole)
  if (raw.includes('(')) return undefined
  if (firstOther < 0) return { kind: 'exact', value: parts.join(''), folded: false }
  // What repeats stands before its sign.
  const repeats = ['+', '*', '?', '{'].includes(raw[firstOther]!)
  const prefix = parts.slice(0, Math.max(0, firstOther - (repeats ? 1 : 0))).join('')
  const lastOther = parts.lastIndexOf(undefined)
  const suffix = raw[lastOther] === '}' || !raw.includes('{') ? parts.slice(lastOther + 1).join('') : ''
  if (suffix.length > prefix.length) return { kind: 'suffix', value: suffix, folded: false }
  return prefix === '' ? undefined : { kind: 'prefix', value: prefix, folded: false }
}

/** Envoy's URI templates, as far as Istio writes them: `*` is one segment that is not empty, `**` the rest. */
export function templateTest(template: string): TextTest {
  if (!template.startsWith('/') || /[{}]/.test(template)) throw badConfig(`the path template ${template} is not supported: only * and ** are`)
  const segments = template.split('/').slice(1)
  const regex = compileRegex(segments.map((one) => `/${segmentPattern(one, template)}`).join(''))
  const wildcard = template.indexOf('*')
  const literal = wildcard < 0 ? template : template.slice(0, wildcard)
  return { test: (text) => regex.testExact(text), words: `fits ${template}`, key: { kind: wildcard < 0 ? 'exact' : 'prefix', value: literal, folded: false } }
}

/** Whatever characters: Envoy has a list of them here, and whoever is denied a path would look for one that is not on it. */
function segmentPattern(segment: string, template: string): string {
  if (segment === '*') return '[^/]+'
  if (segment === '**') return '(?s:.*)'
  if (segment.includes('*')) throw badConfig(`the path template ${template} has a wildcard that is not a whole segment`)
  return segment.replace(/[\\.+?()|[\]^$]/g, '\\$&')
}
