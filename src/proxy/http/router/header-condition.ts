// Compiles HeaderMatcher, pseudo headers included. Of a header that is repeated each value is compared by itself, and one that
// fits is enough.
import type { HeaderMatcher } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { badConfig } from './problem.ts'
import type { Condition, RoutedRequest } from './request.ts'
import { compileTextMatch, exactly, matchesRegex, startsWith } from './text-match.ts'
import type { TextMatch } from './text-match.ts'
import { create } from '@bufbuild/protobuf'
import { StringMatcherSchema } from '../../../proto/gen/envoy/type/matcher/v3/string_pb.ts'

type Read = (request: RoutedRequest) => string | undefined

export function headerCondition(matcher: HeaderMatcher): Condition {
  const name = matcher.name.toLowerCase()
  if (name === '') throw badConfig('a header matcher without a name')
  const read = reader(name)
  const { headerMatchSpecifier: { case: kind, value }, invertMatch: invert } = matcher
  if (kind === undefined) return presence(name, read, !invert)
  if (kind === 'presentMatch') return presence(name, read, value !== invert)
  const text = textMatchOf(matcher)
  return isPseudo(name) ? onValue(name, read, text, invert) : onHeader(name, text, invert, matcher.treatMissingHeaderAsEmpty)
}

const isPseudo = (name: string): boolean => name.startsWith(':') || name === 'host'

function onValue(name: string, read: Read, { test, words }: TextMatch, invert: boolean): Condition {
  return {
    matches(request) {
      const value = read(request)
      return value !== undefined && test(value) !== invert
    },
    words: wordsOf(name, words, invert),
    found: (request) => foundValue(read(request)),
  }
}

/** A header that is missing matches neither way, unless it is to count as empty. */
function onHeader(name: string, { test, words }: TextMatch, invert: boolean, missingIsEmpty: boolean): Condition {
  return {
    matches({ requestHeaders: { flat } }) {
      let isThere = false
      for (let i = 0; i < flat.length; i += 2) {
        if (flat[i] !== name) continue
        if (test(flat[i + 1]!)) return !invert
        isThere = true
      }
      return isThere ? invert : missingIsEmpty && test('') !== invert
    },
    words: wordsOf(name, words, invert),
    found: ({ requestHeaders }) => foundValue(requestHeaders.joined(name)),
  }
}

const wordsOf = (name: string, words: string, invert: boolean): string => (invert ? `not: header ${name} ${words}` : `header ${name} ${words}`)

function presence(name: string, read: Read, wanted: boolean): Condition {
  return {
    matches: (request) => (read(request) !== undefined) === wanted,
    words: wanted ? `header ${name} is there` : `header ${name} is absent`,
    found: (request) => foundValue(read(request)),
  }
}

export const foundValue = (value: string | undefined): string => (value === undefined ? 'it is absent' : `it is "${value}"`)

function reader(name: string): Read {
  switch (name) {
    case ':method': return ({ method }) => method
    case ':scheme': return ({ scheme }) => scheme
    case ':authority':
    case 'host': return ({ authority }) => authority
    case ':path': return ({ pathname, query }) => (query === '' ? pathname : `${pathname}?${query}`)
    default: return ({ requestHeaders }) => requestHeaders.joined(name)
  }
}

/** The value part of a matcher that has one. */
export function textMatchOf({ headerMatchSpecifier: { case: kind, value } }: HeaderMatcher): TextMatch {
  switch (kind) {
    case 'stringMatch': return compileTextMatch(value)
    case 'exactMatch': return exactly(value, false)
    case 'prefixMatch': return startsWith(value, false)
    case 'suffixMatch': return compileTextMatch(create(StringMatcherSchema, { matchPattern: { case: 'suffix', value } }))
    case 'containsMatch': return compileTextMatch(create(StringMatcherSchema, { matchPattern: { case: 'contains', value } }))
    case 'safeRegexMatch': return matchesRegex(value.regex)
    case 'rangeMatch': return inRange(value.start, value.end)
    default: throw badConfig(`a header matcher of kind ${kind ?? 'none'} is not supported`)
  }
}

/** Whole numbers, `end` exclusive. */
function inRange(start: bigint, end: bigint): TextMatch {
  const test = (text: string): boolean => {
    if (!/^[+-]?\d{1,19}$/.test(text)) return false
    const number = BigInt(text)
    return number >= start && number < end
  }
  return { test, words: `is a number from ${start} up to, but not, ${end}` }
}
