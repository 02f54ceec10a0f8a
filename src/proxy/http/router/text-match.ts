// Compiles StringMatcher: exact, prefix, suffix, contains and regex, with or without case.
import type { StringMatcher } from '../../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import { badConfig } from './problem.ts'
import { fullMatch } from './regex.ts'

export interface TextMatch {
  readonly test: (text: string) => boolean
  /** `starts with "a"`. */
  readonly words: string
}

export function compileTextMatch({ matchPattern: { case: kind, value }, ignoreCase }: StringMatcher): TextMatch {
  switch (kind) {
    case 'exact': return exactly(value, ignoreCase)
    case 'prefix': return startsWith(value, ignoreCase)
    case 'suffix': return comparing(value, ignoreCase, 'ends with', (text, wanted) => text.endsWith(wanted))
    case 'contains': return comparing(value, ignoreCase, 'contains', (text, wanted) => text.includes(wanted))
    case 'safeRegex': return matchesRegex(value.regex)
    default: throw badConfig(`a string matcher of kind ${kind ?? 'none'} is not supported`)
  }
}

export const exactly = (value: string, ignoreCase: boolean): TextMatch =>
  comparing(value, ignoreCase, 'is', (text, wanted) => text === wanted)

export const startsWith = (value: string, ignoreCase: boolean): TextMatch =>
  comparing(value, ignoreCase, 'starts with', (text, wanted) => text.startsWith(wanted))

export const matchesRegex = (pattern: string): TextMatch => ({ test: fullMatch(pattern), words: `matches ${pattern}` })

function comparing(value: string, ignoreCase: boolean, verb: string, compare: (text: string, wanted: string) => boolean): TextMatch {
  const wanted = ignoreCase ? value.toLowerCase() : value
  const words = `${verb} "${value}"${ignoreCase ? ' in any case' : ''}`
  return { test: ignoreCase ? (text) => compare(text.toLowerCase(), wanted) : (text) => compare(text, wanted), words }
}
