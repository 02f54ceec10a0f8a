// Rules of a VirtualService with those of its delegates put in their place (traffic spec 1.2.7): conditions of both hold,
// the delegate's fields win, and what cannot be combined is dropped, alone.
import { gatewayNames } from '../../snapshot/virtual-services.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { HttpMatch, HttpRule, StringMatch } from '../../virtual-service-spec.ts'

/** A rule as it applies, and the VirtualService that it stands in: short names and lines are that one's. */
export interface PlacedRule {
  readonly rule: HttpRule
  readonly owner: VirtualService
  readonly index: number
  /** Of a rule that was combined: for each of its blocks, which of the owner's it was made of. */
  readonly blocks?: readonly (number | undefined)[]
}

export type DelegateLookup = (namespace: string, name: string) => VirtualService | undefined

/** Delegates of delegates are not followed; a missing delegate drops its rule. */
export function placedRules(root: VirtualService, delegateAt: DelegateLookup): readonly PlacedRule[] {
  return (root.spec.http ?? []).flatMap((rule, index) => {
    if (rule.delegate === undefined) return [{ rule, owner: root, index }]
    const owner = delegateAt(rule.delegate.namespace || root.metadata.namespace, rule.delegate.name ?? '')
    return owner === undefined ? [] : delegated(rule, root, owner)
  })
}

/** The delegates that a VirtualService names and that can be seen. */
export function delegatesOf(root: VirtualService, delegateAt: DelegateLookup): readonly VirtualService[] {
  return (root.spec.http ?? []).flatMap(({ delegate }) =>
    delegate === undefined ? [] : delegateAt(delegate.namespace || root.metadata.namespace, delegate.name ?? '') ?? [])
}

/** Finds delegates in a list that was made of visible ones. */
export function delegateAmong(delegates: readonly VirtualService[]): DelegateLookup {
  return (namespace, name) => delegates.find((one) => one.metadata.namespace === namespace && one.metadata.name === name)
}

function delegated(outer: HttpRule, root: VirtualService, owner: VirtualService): readonly PlacedRule[] {
  return (owner.spec.http ?? []).flatMap((inner, index) => {
    if (inner.delegate !== undefined) return []
    const found = combinedMatches(outer, inner, root, owner)
    return found === undefined ? [] : [{ rule: { ...inherited(outer, inner), match: found.map(({ match }) => match) }, owner, index, blocks: found.map(({ of }) => of) }]
  })
}

/** What the delegate leaves unset is the root's. */
function inherited(outer: HttpRule, inner: HttpRule): HttpRule {
  const { rewrite, directResponse, timeout, retries, fault, mirrors, corsPolicy, headers } = outer
  const { mirror, mirrorPercentage, mirrorPercent, mirror_percent } = outer
  const given = { rewrite, directResponse, timeout, retries, fault, mirror, mirrorPercentage, mirrorPercent, mirror_percent, mirrors, corsPolicy, headers }
  const name = [outer.name, inner.name].filter((one) => one).join('-')
  const own = Object.fromEntries(Object.entries(inner).filter(([, value]) => value !== undefined && !isEmptyList(value)))
  return { ...given, ...own, ...(name !== '' && { name }) }
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0

interface CombinedMatch {
  readonly match: HttpMatch
  /** Which block of the delegate it is of. */
  readonly of: number | undefined
}

/** Every root block with every delegate block that it can hold with; undefined when there is none. */
function combinedMatches(outer: HttpRule, inner: HttpRule, root: VirtualService, owner: VirtualService): readonly CombinedMatch[] | undefined {
  const roots = (outer.match ?? []).map((match) => withFullGateways(match, root))
  const leaves = (inner.match ?? []).map((match) => withFullGateways(match, owner))
  if (roots.length === 0) return leaves.map((match, of) => ({ match, of }))
  if (leaves.length === 0) return roots.map((match) => ({ match, of: undefined }))
  const found = roots.flatMap((one) => leaves.flatMap((leaf, of) => (conflict(one, leaf) ? [] : [{ match: combined(one, leaf), of }])))
  return found.length === 0 ? undefined : found
}

function withFullGateways(match: HttpMatch, owner: VirtualService): HttpMatch {
  if (match.gateways === undefined || match.gateways.length === 0) return match
  return { ...match, gateways: gatewayNames(match.gateways, owner.metadata.namespace) }
}

const fields = ['uri', 'scheme', 'method', 'authority'] as const

function conflict(root: HttpMatch, leaf: HttpMatch): boolean {
  if (fields.some((field) => stringConflict(root[field], leaf[field]))) return true
  if ((root.ignoreUriCase ?? false) !== (leaf.ignoreUriCase ?? false)) return true
  if (root.port && leaf.port && root.port !== leaf.port) return true
  if (root.sourceNamespace && root.sourceNamespace !== leaf.sourceNamespace && leaf.sourceNamespace !== undefined) return true
  if (Object.entries(root.sourceLabels ?? {}).some(([key, value]) => leaf.sourceLabels?.[key] !== undefined && leaf.sourceLabels[key] !== value)) return true
  const allowed = root.gateways ?? []
  if (allowed.length > 0 && (leaf.gateways ?? []).some((name) => !allowed.includes(name))) return true
  return [[root.headers, leaf.headers], [root.withoutHeaders, leaf.withoutHeaders], [root.queryParams, leaf.queryParams]].some(([one, other]) =>
    Object.entries(one ?? {}).some(([name, value]) => other?.[name] !== undefined && stringConflict(value, other[name])))
}

/** A prefix of the root must begin the delegate's value; patterns cannot be compared. */
function stringConflict(root: StringMatch | undefined, leaf: StringMatch | undefined): boolean {
  if (root === undefined || leaf === undefined) return false
  if (root.regex !== undefined || leaf.regex !== undefined) return true
  if (root.exact !== undefined) return leaf.exact !== root.exact
  const value = leaf.exact ?? leaf.prefix
  return root.prefix !== undefined && value !== undefined && !value.startsWith(root.prefix)
}

/** The delegate's condition is the narrower one wherever both have one. */
function combined(root: HttpMatch, leaf: HttpMatch): HttpMatch {
  const name = [root.name, leaf.name].filter((one) => one).join('-')
  const merged = { ...root, ...Object.fromEntries(Object.entries(leaf).filter(([, value]) => value !== undefined && !isEmptyList(value))) }
  return {
    ...merged,
    ...(name !== '' && { name }),
    headers: { ...root.headers, ...leaf.headers },
    withoutHeaders: { ...root.withoutHeaders, ...leaf.withoutHeaders },
    queryParams: { ...root.queryParams, ...leaf.queryParams },
    sourceLabels: { ...root.sourceLabels, ...leaf.sourceLabels },
  }
}
