// Which DestinationRule a client uses for a service, and what it says for one port and subset (traffic spec 1.3.2-1.3.4).
import type { Resource } from '../../model/resource.ts'
import type { Service } from '../../model/service.ts'
import { mostSpecific, resolveHost, selects, visible } from '../hosts.ts'
import type { MeshSettings } from '../mesh-settings.ts'
import type { DestinationRuleSpec, PolicyBlocks, Subset, TrafficPolicy, WholePolicyBlocks } from '../destination-rule-spec.ts'

export type DestinationRule = Resource<DestinationRuleSpec>

/** DestinationRules of one host and namespace that count as one: the oldest first. */
export interface MergedRule {
  readonly host: string
  readonly namespace: string
  readonly exportTo: readonly string[]
  /** Labels of the clients that it is for; undefined for all. */
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly rules: readonly DestinationRule[]
  readonly trafficPolicy: TrafficPolicy | undefined
  readonly subsets: readonly Subset[]
}

const nobody = Symbol('no rule')

export class DestinationRuleIndex {
  readonly #byNamespace = new Map<string, HostRules>()
  /** Namespaces with rules for chosen clients. */
  readonly #choosing = new Set<string>()
  /** What was looked up already, by namespace of the client. */
  readonly #found = new Map<string, WeakMap<Service, MergedRule | typeof nobody>>()
  readonly #mesh: MeshSettings
  readonly #ordersByLabels: boolean
  /** Whether anything is balanced by zones: then proxies want to know of those like them. */
  readonly zoneAware: boolean

  /** `rules` are in order of age. */
  constructor(rules: readonly DestinationRule[], mesh: MeshSettings, earlier: DestinationRuleIndex | undefined) {
    this.#mesh = mesh
    const groups = new Map<string, DestinationRule[]>()
    for (const rule of rules) {
      const key = JSON.stringify([rule.metadata.namespace, this.#host(rule), this.#exportTo(rule).toSorted(), selectorOf(rule)])
      groups.set(key, [...(groups.get(key) ?? []), rule])
    }
    for (const group of groups.values()) this.#add(this.#merge(group), earlier)
    this.#ordersByLabels = (mesh.localityLb?.failoverPriority ?? mesh.zoneAwareLb?.failoverPriority ?? []).length > 0 || rules.some(({ spec }) => policiesOf(spec).some(ordersByLabels))
    this.zoneAware = mesh.zoneAwareLb !== undefined || rules.some(({ spec }) => policiesOf(spec).some(isZoneAware))
  }

  /** The rule of a client for a service. Where rules choose no clients it is the same for all of a namespace. */
  lookup(client: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> }, service: Service): MergedRule | undefined {
    if (this.choosesClientsIn(client.namespace)) return this.#lookup(client, service)
    const found = this.#found.get(client.namespace) ?? new WeakMap<Service, MergedRule | typeof nobody>()
    this.#found.set(client.namespace, found)
    const known = found.get(service) ?? this.#lookup(client, service) ?? nobody
    found.set(service, known)
    return known === nobody ? undefined : known
  }

  /** The first of: client's namespace, service's, root, that has a rule for the host (1.3.2). */
  #lookup(client: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> }, service: Service): MergedRule | undefined {
    const root = this.#mesh.rootNamespace
    const usable = (rule: MergedRule): boolean => fits(rule, client.labels) && (client.namespace !== root || isPrivate(rule))
    return first(this.#byNamespace.get(client.namespace)?.of(service.hostname, usable) ?? [], service.hostname, () => true)
      ?? this.#exported(service.namespace, client.namespace, service.hostname)
      ?? this.#exported(root, client.namespace, service.hostname)
  }

  /** Whether the labels of clients matter in a namespace. */
  choosesClientsIn(namespace: string): boolean {
    return this.#choosing.has(namespace)
  }

  /** Labels by which rules, whoever's they are, order endpoints: those of clients matter then. */
  get ordersByLabels(): boolean {
    return this.#ordersByLabels
  }

  #exported(from: string, to: string, hostname: string): MergedRule | undefined {
    const usable = (rule: MergedRule): boolean => rule.selector === undefined && (from === to || !isPrivate(rule))
    return first(this.#byNamespace.get(from)?.of(hostname, usable) ?? [], hostname, (rule) => visible(rule.exportTo, from, to))
  }

  #add(merged: MergedRule, earlier: DestinationRuleIndex | undefined): void {
    const known = earlier === undefined ? undefined : earlier.#byNamespace.get(merged.namespace)
    const before = known?.of(merged.host, (one) => one.host === merged.host).find((one) => sameRules(one, merged))
    const rules = this.#byNamespace.get(merged.namespace) ?? new HostRules()
    this.#byNamespace.set(merged.namespace, rules)
    rules.add(before ?? merged)
    if (merged.selector !== undefined) this.#choosing.add(merged.namespace)
  }

  #merge(rules: readonly DestinationRule[]): MergedRule {
    const oldest = rules[0]!
    const subsets = new Map<string, Subset>()
    for (const subset of rules.flatMap((rule) => rule.spec.subsets ?? [])) {
      if (!subsets.has(subset.name)) subsets.set(subset.name, subset)
    }
    return {
      host: this.#host(oldest),
      namespace: oldest.metadata.namespace,
      exportTo: this.#exportTo(oldest),
      selector: selectorOf(oldest),
      rules,
      trafficPolicy: rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
      subsets: [...subsets.values()],
    }
  }

  #host(rule: DestinationRule): string {
    return resolveHost(rule.spec.host, rule.metadata.namespace, this.#mesh.domain)
  }

  /** A rule for chosen clients is private (1.3.1). */
  #exportTo(rule: DestinationRule): readonly string[] {
    if (selectorOf(rule) !== undefined) return ['.']
    const { exportTo } = rule.spec
    return exportTo === undefined || exportTo.length === 0 ? this.#mesh.destinationRuleExportTo : exportTo
  }
}

function selectorOf(rule: DestinationRule): Readonly<Record<string, string>> | undefined {
  const labels = rule.spec.workloadSelector?.matchLabels
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels
}

const isPrivate = (rule: MergedRule): boolean => rule.exportTo.length === 1 && rule.exportTo[0] === '.'

const fits = (rule: MergedRule, labels: Readonly<Record<string, string>>): boolean =>
  rule.selector === undefined || selects(rule.selector, labels)

const sameRules = (one: MergedRule, other: MergedRule): boolean =>
  one.rules.length === other.rules.length
  && one.rules.every((rule, at) => rule === other.rules[at])
  && one.exportTo.join() === other.exportTo.join()

/** Rules of a namespace by how their host is to be looked for. */
class HostRules {
  readonly #exact = new Map<string, MergedRule[]>()
  readonly #wild: MergedRule[] = []

  add(rule: MergedRule): void {
    const exact = this.#exact.get(rule.host)
    if (exact === undefined) this.#exact.set(rule.host, [rule])
    else exact.push(rule)
    if (rule.host.startsWith('*')) this.#wild.push(rule)
  }

  /** All that can be the most specific one of a host: exact rules hide all others, unless none of them fits. */
  of(hostname: string, usable: (rule: MergedRule) => boolean): readonly MergedRule[] {
    const exact = (this.#exact.get(hostname) ?? []).filter(usable)
    return exact.length > 0 || this.#wild.length === 0 ? exact : this.#wild.filter(usable)
  }
}

/** The most specific host decides before visibility does: an exact rule that is not for us hides a wildcard one. */
function first(rules: readonly MergedRule[], hostname: string, allowed: (rule: MergedRule) => boolean): MergedRule | undefined {
  const host = mostSpecific(rules.map((rule) => rule.host), hostname)
  if (host === undefined) return undefined
  const candidates = rules.filter((rule) => rule.host === host && allowed(rule))
  return candidates.find((rule) => rule.selector !== undefined) ?? candidates[0]
}

/** What holds for one service port and subset (1.3.4): blocks replace blocks, never field by field. */
export function effectivePolicy(rule: MergedRule | undefined, port: number, subsetName: string): WholePolicyBlocks {
  const top = rule?.trafficPolicy
  const base = portEntry(top, port) ?? top ?? {}
  const subset = subsetName === '' ? undefined : rule?.subsets.find((one) => one.name === subsetName)?.trafficPolicy
  if (subset === undefined) return wholeBlocks(base)
  const own = portEntry(subset, port)
  const merged = { ...wholeBlocks(base), ...onlySet(wholeBlocks(subset)) }
  return own === undefined ? merged : { ...merged, ...blocks(own) }
}

/** What the mesh says where a DestinationRule is silent, block by block (1.3.4). */
export function withMeshDefaults(policy: WholePolicyBlocks, mesh: MeshSettings): WholePolicyBlocks {
  const { connectionPool = mesh.defaultConnectionPool, outlierDetection = mesh.defaultOutlierDetection } = policy
  return { ...policy, connectionPool, outlierDetection }
}

const policiesOf = ({ trafficPolicy, subsets = [] }: DestinationRuleSpec): readonly PolicyBlocks[] =>
  [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].flatMap((one) => (one === undefined ? [] : [one, ...(one.portLevelSettings ?? [])]))

const ordersByLabels = ({ loadBalancer }: PolicyBlocks): boolean =>
  [loadBalancer?.localityLbSetting, loadBalancer?.zoneAwareLbSetting].some((one) => (one?.failoverPriority ?? []).length > 0)

const isZoneAware = ({ loadBalancer }: PolicyBlocks): boolean => loadBalancer?.zoneAwareLbSetting !== undefined

function portEntry(policy: TrafficPolicy | undefined, port: number): PolicyBlocks | undefined {
  return policy?.portLevelSettings?.find((entry) => entry.port?.number === port)
}

function blocks(from: PolicyBlocks): PolicyBlocks {
  return { loadBalancer: from.loadBalancer, connectionPool: from.connectionPool, outlierDetection: from.outlierDetection, tls: from.tls }
}

const wholeBlocks = (from: WholePolicyBlocks): WholePolicyBlocks =>
  ({ ...blocks(from), tunnel: from.tunnel, proxyProtocol: from.proxyProtocol, retryBudget: from.retryBudget })

const onlySet = (from: WholePolicyBlocks): WholePolicyBlocks => Object.fromEntries(Object.entries(from).filter(([, block]) => block !== undefined))
