// Compiles MetadataMatcher: a value that filters learnt, found by filter and path, and what it must be.
import type { MetadataMatcher } from '../../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts'
import type { DoubleMatcher } from '../../../proto/gen/envoy/type/matcher/v3/number_pb.ts'
import type { ValueMatcher } from '../../../proto/gen/envoy/type/matcher/v3/value_pb.ts'
import type { Metadata } from '../dynamic-metadata.ts'
import { badConfig } from './problem.ts'
import { compileTextMatch } from './text-match.ts'

export interface ValueMatch {
  readonly test: (value: unknown) => boolean
  /** `is "a"`. */
  readonly words: string
}

export interface MetadataMatch {
  readonly test: (metadata: Metadata | undefined) => boolean
  readonly filter: string
  readonly path: readonly string[]
  readonly words: string
}

export function compileMetadataMatch({ filter, path, value, invert }: MetadataMatcher): MetadataMatch {
  if (value === undefined) throw badConfig('a metadata matcher without a value')
  if (path.length === 0) throw badConfig('a metadata matcher without a path')
  const keys = path.map(({ segment }) => segment.value ?? '')
  const match = compileValueMatch(value)
  return {
    filter, path: keys,
    test: (metadata) => match.test(valueAt(metadata, keys)) !== invert,
    words: `${invert ? 'not: ' : ''}${keys.join('.')} of ${filter} ${match.words}`,
  }
}

/** Undefined where the path leaves the value. */
export function valueAt(metadata: Metadata | undefined, path: readonly string[]): unknown {
  let at: unknown = metadata
  for (const key of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

export function compileValueMatch({ matchPattern: { case: kind, value } }: ValueMatcher): ValueMatch {
  switch (kind) {
    case 'nullMatch': return { test: (found) => found === null, words: 'is null' }
    case 'boolMatch': return { test: (found) => found === value, words: `is ${value}` }
    case 'doubleMatch': return numberMatch(value)
    case 'stringMatch': {
      const { test, words } = compileTextMatch(value)
      return { test: (found) => typeof found === 'string' && test(found), words }
    }
    case 'presentMatch': return { test: (found) => (found !== undefined) === value, words: value ? 'is there' : 'is absent' }
    case 'listMatch': return listMatch(value.matchPattern.case === 'oneOf' ? value.matchPattern.value : undefined)
    case 'orMatch': {
      const any = value.valueMatchers.map(compileValueMatch)
      return { test: (found) => any.some(({ test }) => test(found)), words: any.map(({ words }) => words).join(' or ') }
    }
    default: throw badConfig(`a value matcher of kind ${kind ?? 'none'} is not supported`)
  }
}

function listMatch(item: ValueMatcher | undefined): ValueMatch {
  if (item === undefined) throw badConfig('a list matcher without one_of')
  const { test, words } = compileValueMatch(item)
  return { test: (found) => Array.isArray(found) && found.some(test), words: `has an item that ${words}` }
}

function numberMatch({ matchPattern: { case: kind, value } }: DoubleMatcher): ValueMatch {
  if (kind === 'exact') return { test: (found) => found === value, words: `is ${value}` }
  if (kind !== 'range') throw badConfig('a number matcher without a value')
  return { test: (found) => typeof found === 'number' && found >= value.start && found < value.end, words: `is a number from ${value.start} up to, but not, ${value.end}` }
}
