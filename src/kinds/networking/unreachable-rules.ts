// Rules and match blocks of a VirtualService that no request ever reaches, since an earlier one takes it: first match wins
// (traffic spec 1.2.3). A warning each. Linear in the size of the document.
import { warning } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import type { VirtualService } from './virtual-service.ts'

export const unreachableRules: readonly Rule<VirtualService>[] = [
  warning(function* ({ http }) {
    yield* afterCatchAll('http', http.map(({ match, delegate }) => (delegate === undefined ? match : undefined)))
    yield* repeated('http', http.map(({ match }) => match))
    yield* shadowed(http.map(({ match, delegate }) => (delegate === undefined ? match : [])))
  }),
  warning(function* ({ tcp }) {
    yield* afterCatchAll('tcp', tcp.map(({ match }) => match))
    yield* repeated('tcp', tcp.map(({ match }) => match))
  }),
  warning(function* ({ tls }) {
    yield* repeated('tls', tls.map(({ match }) => match))
  }),
]

/** `undefined`: whether the rule takes a request is decided elsewhere. */
function* afterCatchAll(list: string, matches: readonly (readonly unknown[] | undefined)[]): Iterable<Finding> {
  const first = matches.findIndex((match) => match?.length === 0)
  if (first < 0) return
  for (let index = first + 1; index < matches.length; index++) {
    yield [[list, index], `is never reached: ${list}[${first}] has no match and takes everything; move it to the end`]
  }
}

/** Blocks that are there twice; a rule of which all blocks are. */
function* repeated(list: string, matches: readonly (readonly object[])[]): Iterable<Finding> {
  const seen = new Map<string, number>()
  for (const [index, blocks] of matches.entries()) {
    const earlier = blocks.map((block) => seen.get(keyOf(block)))
    for (const block of blocks) if (!seen.has(keyOf(block))) seen.set(keyOf(block), index)
    if (blocks.length > 0 && earlier.every((one) => one !== undefined)) {
      yield [[list, index], `is never reached: all that it matches is matched by ${list}[${earlier[0]}] already`]
      continue
    }
    for (const [at, one] of earlier.entries()) {
      if (one !== undefined) yield [[list, index, 'match', at], `is never reached: ${list}[${one}] matches the same already`]
    }
  }
}

type Match = Frozen<VirtualService>['http'][number]['match'][number]

/** Longer ones are compared as a whole only: each prefix of a path costs a look-up. */
const maxPath = 1024

/** A block whose path an earlier block takes by a shorter prefix, under the same further conditions or none. */
function* shadowed(matches: readonly (readonly Match[])[]): Iterable<Finding> {
  const prefixes = new Map<string, string>()
  for (const [index, blocks] of matches.entries()) {
    for (const [at, match] of blocks.entries()) {
      const { uri, ...others } = match
      const conditions = keyOf(others)
      const path = uri?.prefix ?? uri?.exact ?? (uri === undefined ? '' : undefined)
      const by = path === undefined || path.length > maxPath ? undefined : coveredBy(prefixes, path, uri?.prefix !== undefined || uri === undefined, conditions)
      if (by !== undefined) yield [['http', index, 'match', at], `is never reached: ${by} takes every such request already; put the longer path first`]
      if (uri?.exact === undefined && uri?.regex === undefined) {
        const key = `${conditions} ${uri?.prefix ?? ''}`
        if (!prefixes.has(key)) prefixes.set(key, `http[${index}].match[${at}]`)
      }
    }
  }
}

const noConditions = () => keyOf({})

/** The same prefix under the same conditions is a repetition, which is reported as such. */
function coveredBy(prefixes: ReadonlyMap<string, string>, path: string, isPrefix: boolean, conditions: string): string | undefined {
  for (let length = 0; length <= path.length; length++) {
    const prefix = path.slice(0, length)
    for (const key of new Set([conditions, noConditions()])) {
      const found = prefixes.get(`${key} ${prefix}`)
      if (found !== undefined && !(isPrefix && length === path.length && key === conditions)) return found
    }
  }
  return undefined
}

/** Equal for equal conditions: without names, without what is not set, in the order of the alphabet. */
function keyOf(match: object): string {
  return JSON.stringify(canonical(match, true))
}

function canonical(value: unknown, top: boolean): unknown {
  if (Array.isArray(value)) return value.map((one) => canonical(one, false))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, inner]) => !(top && (name === 'name' || name === 'statPrefix' || isDefault(inner))))
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, inner]) => [name, canonical(inner, false)]))
}

const isDefault = (value: unknown): boolean =>
  value === undefined || value === '' || value === false
  || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
