// Why a decision is what it is, in words: which attribute failed, or which ones made a policy match. For logs and people,
// never for clients. It walks the expressions themselves, so it cannot say anything that was not decided.
import { compileExpression } from './evaluate.ts'
import { valueAt } from './expression.ts'
import type { Expression, RbacFacts, RbacPolicy, RbacRules } from './expression.ts'

export interface WhyDenied {
  /** The policy that denied, or of those that would have allowed the one that came nearest; undefined where there is none. */
  readonly policy: string | undefined
  readonly reason: string
}

/** Of policies that would allow, so many are looked at for the nearest. */
const maxLooked = 100
/** Of the ways in which one attribute could be met, so many are named. */
const maxNamed = 3
/** A client decides how long a value is, not how long a log line is. */
const maxValue = 120

export function whyDenied({ action, policies }: RbacRules, matched: RbacPolicy | undefined, facts: RbacFacts): WhyDenied {
  if (action === 'deny' && matched !== undefined) return { policy: matched.name, reason: met(sidesOf(matched), facts) || 'it is for everything' }
  const near = policies.slice(0, maxLooked).map((policy) => ({ policy, missing: missingIn(sidesOf(policy), facts) }))
  const nearest = near.reduce<(typeof near)[number] | undefined>((best, one) => (best === undefined || one.missing.length < best.missing.length ? one : best), undefined)
  return { policy: nearest?.policy.name, reason: nearest?.missing.join('; ') ?? 'no policy allows anything' }
}

const sidesOf = ({ permissions, principals }: RbacPolicy): Expression =>
  ({ kind: 'all', of: [{ kind: 'some', of: permissions }, { kind: 'some', of: principals }] })

const holds = (expression: Expression, facts: RbacFacts): boolean => compileExpression(expression)(facts)

/** What is not as it would have to be, each with what it is instead. Of several ways the nearest. */
function missingIn(expression: Expression, facts: RbacFacts): readonly string[] {
  if (holds(expression, facts)) return []
  switch (expression.kind) {
    case 'any': return []
    case 'all': return [...new Set(expression.of.flatMap((one) => missingIn(one, facts)))]
    case 'some': return missingInSome(expression.of, facts)
    case 'not': return isImpossible(expression) ? ['it matches nothing'] : [`must not be so: ${met(expression.of, facts)}`]
    default: return [`needs: ${nameOf(expression)} ${wordsOf(expression)}; but ${foundOf(expression, facts)}`]
  }
}

const isImpossible = ({ of }: Extract<Expression, { kind: 'not' }>): boolean => of.kind === 'any'

function missingInSome(ways: readonly Expression[], facts: RbacFacts): readonly string[] {
  const [first] = ways
  if (first === undefined) return ['it matches nothing']
  if (ways.length > 1 && ways.every((one) => isLeaf(one) && nameOf(one) === nameOf(first as Leaf))) {
    const leaves = ways as readonly Leaf[]
    const more = leaves.length > maxNamed ? ` or ${leaves.length - maxNamed} others` : ''
    return [`needs: ${nameOf(leaves[0]!)} ${leaves.slice(0, maxNamed).map(wordsOf).join(' or ')}${more}; but ${foundOf(leaves[0]!, facts)}`]
  }
  return ways.map((one) => missingIn(one, facts)).reduce((best, one) => (one.length < best.length ? one : best))
}

/** What made it match. */
function met(expression: Expression, facts: RbacFacts): string {
  switch (expression.kind) {
    case 'any': return ''
    case 'all': return expression.of.map((one) => met(one, facts)).filter((text) => text !== '').join(' and ')
    case 'some': {
      const found = expression.of.find((one) => holds(one, facts))
      return found === undefined ? '' : met(found, facts)
    }
    case 'not': return missingIn(expression.of, facts).map((text) => text.replace(/^needs: /, 'not: ')).join(' and ')
    default: return `${nameOf(expression)} ${wordsOf(expression)}`
  }
}

type Leaf = Exclude<Expression, { kind: 'any' | 'all' | 'some' | 'not' }>

const isLeaf = (expression: Expression): expression is Leaf => !['any', 'all', 'some', 'not'].includes(expression.kind)

const jwt = 'envoy.filters.http.jwt_authn'
const ips = { source: 'source.ip', remote: 'remote.ip', destination: 'destination.ip' } as const
const headers: Readonly<Record<string, string>> = { ':method': 'method', ':authority': 'host', ':path': 'path' }

function nameOf(leaf: Leaf): string {
  switch (leaf.kind) {
    case 'header':
    case 'header-present': return headers[leaf.name] ?? `header ${leaf.name}`
    case 'path': return 'path'
    case 'identity': return 'source.principal'
    case 'server-name': return 'connection.sni'
    case 'port': return 'destination.port'
    case 'ip': return ips[leaf.of]
    case 'metadata': return leaf.namespace === jwt ? `request.auth.claims${leaf.path.slice(1).map((key) => `[${key}]`).join('')}` : `metadata ${leaf.namespace} ${leaf.path.join('.')}`
  }
}

function wordsOf(leaf: Leaf): string {
  switch (leaf.kind) {
    case 'header-present': return 'is there'
    case 'identity': return leaf.test?.words ?? 'is proven by a certificate'
    case 'port': return leaf.end - leaf.start === 1 ? `is ${leaf.start}` : `is from ${leaf.start} up to, but not, ${leaf.end}`
    case 'ip': return `is in ${leaf.words}`
    default: return leaf.test.words
  }
}

function foundOf(leaf: Leaf, facts: RbacFacts): string {
  switch (leaf.kind) {
    case 'header':
    case 'header-present': return said([facts.header(leaf.name) ?? []].flat().join(', ') || undefined)
    case 'path': return said(facts.path)
    case 'identity': return facts.identities === undefined ? 'the client showed no certificate' : said(facts.identities.join(', '))
    case 'server-name': return said(facts.serverName)
    case 'port': return `it is ${facts.destinationPort}`
    case 'ip': return 'it is not'
    case 'metadata': {
      const value = valueAt(facts.metadata(leaf.namespace), leaf.path)
      return value === undefined ? 'there is none' : said(JSON.stringify(value))
    }
  }
}

function said(value: string | undefined): string {
  if (value === undefined) return 'it is absent'
  return `it is ${JSON.stringify(value.length > maxValue ? `${value.slice(0, maxValue)}…` : value)}`
}
