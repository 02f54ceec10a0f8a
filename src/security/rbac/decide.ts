// The decision structure: of all policies, those that a request can match at all are found by what it says of itself, and
// only they are looked at. With a thousand policies a request costs what it costs with ten.
import { all, compileExpression, some } from './evaluate.ts'
import type { Predicate } from './evaluate.ts'
import { valueAt } from './expression.ts'
import type { IpFact, RbacAction, RbacFacts, RbacPolicy, RbacRules } from './expression.ts'
import { alternatives } from './keys.ts'
import type { Alternative, Key } from './keys.ts'
import { Lookup } from './lookup.ts'
import type { Visit } from './lookup.ts'

export class Decisions {
  readonly action: RbacAction
  /** By name, as Envoy keeps them: of several that match, the first one is named. */
  readonly policies: readonly RbacPolicy[]
  readonly #tests: readonly Predicate[]
  /** Those that nothing leads to. */
  readonly #always: readonly number[]
  readonly #tables: readonly Table[]
  /** Policies that were looked at, in all decisions together. */
  looked = 0
  // Of the decision under way: there is one at a time.
  #facts: RbacFacts | undefined = undefined
  #best = 0
  readonly #visit: Visit = (found) => this.#look(found)

  constructor({ action, policies }: RbacRules) {
    this.action = action
    this.policies = policies.toSorted((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
    this.#tests = this.policies.map(({ permissions, principals }) =>
      all([some(permissions.map(compileExpression)), some(principals.map(compileExpression))]))
    const chosen = choose(this.policies.map(waysTo))
    this.#always = chosen.flatMap((way, policy) => (way === undefined ? [policy] : []))
    this.#tables = tablesOf(chosen)
  }

  /** The place of the first policy that matches; -1 for none. */
  match(facts: RbacFacts): number {
    const none = this.policies.length
    this.#best = none
    this.#facts = facts
    this.#look(this.#always)
    for (let i = 0; i < this.#tables.length; i++) this.#tables[i]!(facts, this.#visit)
    this.#facts = undefined
    return this.#best === none ? -1 : this.#best
  }

  /** Whether one of the policies matches, on its own. */
  matches(policy: RbacPolicy, facts: RbacFacts): boolean {
    return this.#tests[this.policies.indexOf(policy)]?.(facts) === true
  }

  #look(found: readonly number[]): void {
    for (let i = 0; i < found.length; i++) {
      const policy = found[i]!
      if (policy >= this.#best) return
      this.looked++
      if (!this.#tests[policy]!(this.#facts!)) continue
      this.#best = policy
      return
    }
  }
}

function waysTo({ permissions, principals }: RbacPolicy): readonly Alternative[] {
  return [...alternatives({ kind: 'some', of: permissions }), ...alternatives({ kind: 'some', of: principals })]
}

/** Of each policy's ways the one that fewest others share. Undefined where there is none. */
function choose(ways: readonly (readonly Alternative[])[]): readonly (Alternative | undefined)[] {
  const shared = new Map<string, number>()
  for (const key of ways.flat(2)) shared.set(nameOf(key), (shared.get(nameOf(key)) ?? 0) + 1)
  const costOf = (way: Alternative): number => way.reduce((sum, key) => sum + shared.get(nameOf(key))!, 0)
  return ways.map((own) => own.reduce<Alternative | undefined>((best, way) => (best === undefined || costOf(way) < costOf(best) ? way : best), undefined))
}

const nameOf = ({ attribute, kind, value }: Key): string => `${attribute}\n${kind}\n${value}`

/** Reads one attribute of a request, and visits what it leads to. */
type Table = (facts: RbacFacts, visit: Visit) => void

function tablesOf(chosen: readonly (Alternative | undefined)[]): readonly Table[] {
  const rows = chosen.flatMap((way, policy) => (way ?? []).map((key) => [key, policy] as const))
  return [...Map.groupBy(rows, ([{ attribute }]) => attribute)].map(([attribute, own]) => table(attribute, new Lookup(own)))
}

const foldedEnd = ' folded'

function table(attribute: string, lookup: Lookup): Table {
  if (attribute.endsWith(foldedEnd)) {
    const plain = textReader(attribute.slice(0, -foldedEnd.length))
    return (facts, visit) => {
      const value = plain(facts)
      if (typeof value === 'string') lookup.text(value.toLowerCase(), visit)
      else if (value !== undefined) for (let i = 0; i < value.length; i++) lookup.text(value[i]!.toLowerCase(), visit)
    }
  }
  if (attribute.startsWith('ip ')) {
    const of = attribute.slice(3) as IpFact
    return (facts, visit) => {
      const ip = facts.ip(of)
      if (ip !== undefined) lookup.ip(ip, visit)
    }
  }
  if (attribute === 'identity') {
    return ({ identities = [] }, visit) => {
      for (let i = 0; i < identities.length; i++) lookup.text(identities[i]!, visit)
    }
  }
  if (attribute.startsWith('metadata ')) return metadataTable(attribute, lookup)
  const read = textReader(attribute)
  return (facts, visit) => {
    const value = read(facts)
    if (typeof value === 'string') lookup.text(value, visit)
    else if (value !== undefined) for (let i = 0; i < value.length; i++) lookup.text(value[i]!, visit)
  }
}

function textReader(attribute: string): (facts: RbacFacts) => ReturnType<RbacFacts['header']> {
  switch (attribute) {
    case 'path': return ({ path }) => path
    case 'server-name': return ({ serverName }) => serverName
    case 'port': return ({ destinationPort }) => String(destinationPort)
    default: {
      const name = attribute.slice('header '.length)
      return (facts) => facts.header(name)
    }
  }
}

function metadataTable(attribute: string, lookup: Lookup): Table {
  const [namespace = '', ...path] = JSON.parse(attribute.slice('metadata '.length)) as string[]
  return (facts, visit) => {
    const value = valueAt(facts.metadata(namespace), path)
    if (typeof value === 'string') lookup.text(value, visit)
    else if (Array.isArray(value)) for (const item of value) if (typeof item === 'string') lookup.text(item, visit)
  }
}
