// What resources name and nobody has: hosts, subsets, gateways, delegates. Warnings, since the rest may be in a cluster that
// is not looked at: a host is judged only where the given resources say something about its namespace.
import { ofKind } from '../../kinds/table.ts'
import type { VirtualServiceSpec } from '../../kinds/networking/virtual-service.ts'
import type { FieldPath, Issue, Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import type { Service } from '../../model/service.ts'
import { covers, resolveHost } from '../hosts.ts'

export interface AnalyzedWorld {
  readonly resources: readonly Resource[]
  readonly services: readonly Service[]
  /** The cluster's DNS domain. */
  readonly domain: string
  readonly rootNamespace: string
}

/** A warning, and the key of the resource that it is about. */
export type ReferenceIssue = Issue & { readonly resource: string }

export function referenceIssues(world: AnalyzedWorld): readonly ReferenceIssue[] {
  const known = new Known(world)
  return [
    ...ofKind(world.resources, 'VirtualService').flatMap((one) => [...ofVirtualService(one, known)]),
    ...ofKind(world.resources, 'DestinationRule').flatMap((one) => [...unknownRuleHost(one, one.spec.host, known)]),
    ...ofKind(world.resources, 'PeerAuthentication').flatMap((one) => {
      const selects = Object.keys(one.spec.selector?.matchLabels ?? {}).length > 0
      if (!selects || one.metadata.namespace !== world.rootNamespace) return []
      return [issue(one, ['spec', 'selector'], `has no effect: in the root namespace ${world.rootNamespace} only policies without a selector count`)]
    }),
  ]
}

/** What the given resources have, by the names that others use for it. */
class Known {
  readonly #world: AnalyzedWorld
  readonly #hosts: ReadonlySet<string>
  readonly #wildcards: readonly string[]
  /** Namespaces of whose services something is known. */
  readonly #namespaces: ReadonlySet<string>
  readonly #external: boolean
  readonly #subsets = new Map<string, Set<string>>()
  readonly #gateways: ReadonlySet<string>
  readonly #virtualServices: ReadonlySet<string>

  constructor(world: AnalyzedWorld) {
    this.#world = world
    this.#hosts = new Set(world.services.map(({ hostname }) => hostname))
    this.#wildcards = [...this.#hosts].filter((host) => host.startsWith('*'))
    this.#namespaces = new Set(world.services.map(({ namespace }) => namespace))
    this.#external = world.services.some(({ registry }) => registry === 'External')
    const names = (kind: 'Gateway' | 'VirtualService') => new Set(ofKind(world.resources, kind).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
    this.#gateways = names('Gateway')
    this.#virtualServices = names('VirtualService')
    for (const { spec, metadata } of ofKind(world.resources, 'DestinationRule')) {
      const host = this.resolve(spec.host, metadata.namespace)
      const subsets = this.#subsets.get(host) ?? new Set()
      for (const { name } of spec.subsets) subsets.add(name)
      this.#subsets.set(host, subsets)
    }
  }

  resolve(host: string, namespace: string): string {
    return resolveHost(host, namespace, this.#world.domain)
  }

  hasHost(host: string): boolean {
    if (this.#hosts.has(host) || this.#wildcards.some((wildcard) => covers(wildcard, host))) return true
    return host.startsWith('*') && [...this.#hosts].some((one) => covers(host, one))
  }

  /** Whether the resources would have the host if there were one. */
  canJudge(host: string): boolean {
    const suffix = `.svc.${this.#world.domain}`
    if (!host.endsWith(suffix)) return this.#external
    return this.#namespaces.has(host.slice(0, -suffix.length).split('.').at(-1)!)
  }

  hasSubset(host: string, subset: string): boolean {
    return [...this.#subsets].some(([rule, subsets]) => covers(rule, host) && subsets.has(subset))
  }

  /** Undefined when there is no telling. */
  hasGateway(name: string): boolean | undefined {
    if (this.#gateways.has(name)) return true
    return this.#gateways.size > 0 || this.#namespaces.has(name.split('/')[0]!) ? false : undefined
  }

  hasVirtualService(name: string): boolean {
    return this.#virtualServices.has(name)
  }
}

function issue({ kind, metadata, locate }: Resource, path: FieldPath, message: string): ReferenceIssue {
  return { severity: 'warning', path, message, origin: locate(path), resource: resourceKey(kind, metadata.namespace, metadata.name) }
}

function* ofVirtualService(one: Resource<VirtualServiceSpec>, known: Known): Iterable<ReferenceIssue> {
  const { namespace } = one.metadata
  for (const [index, name] of one.spec.gateways.entries()) {
    const full = gatewayName(name, namespace)
    if (full !== undefined && known.hasGateway(full) === false) yield issue(one, ['spec', 'gateways', index], `there is no Gateway ${full} in these files: the rules have no effect there`)
  }
  for (const [index, { delegate }] of one.spec.http.entries()) {
    if (delegate === undefined) continue
    const full = `${delegate.namespace || namespace}/${delegate.name}`
    if (!known.hasVirtualService(full)) yield issue(one, ['spec', 'http', index, 'delegate'], `there is no VirtualService ${full} in these files: the rule is skipped`)
  }
  for (const [path, host, subset] of destinations(one.spec)) yield* unknownDestination(one, path, known.resolve(host, namespace), subset, known)
}

function gatewayName(name: string, namespace: string): string | undefined {
  if (name === 'mesh' || name.includes('.') && !name.includes('/')) return undefined
  if (name.startsWith('./')) return `${namespace}/${name.slice(2)}`
  return name.includes('/') ? name : `${namespace}/${name}`
}

type Named = readonly [path: FieldPath, host: string, subset: string | undefined]

function destinations({ http, tcp, tls }: VirtualServiceSpec): readonly Named[] {
  const at = (list: string, index: number, routes: readonly { readonly destination: { readonly host: string; readonly subset?: string | undefined } }[]) =>
    routes.map(({ destination }, route): Named => [['spec', list, index, 'route', route, 'destination'], destination.host, destination.subset])
  return [
    ...http.flatMap((rule, index): Named[] => [
      ...at('http', index, rule.route),
      ...rule.mirrors.map(({ destination }, mirror): Named => [['spec', 'http', index, 'mirrors', mirror, 'destination'], destination.host, destination.subset]),
      ...(rule.mirror === undefined ? [] : [[['spec', 'http', index, 'mirror'], rule.mirror.host, rule.mirror.subset] as const]),
    ]),
    ...tcp.flatMap(({ route }, index) => at('tcp', index, route)),
    ...tls.flatMap(({ route }, index) => at('tls', index, route)),
  ]
}

function* unknownDestination(one: Resource, path: FieldPath, host: string, subset: string | undefined, known: Known): Iterable<ReferenceIssue> {
  if (!known.canJudge(host)) return
  if (!known.hasHost(host)) {
    yield issue(one, [...path, 'host'], `there is no service ${host} in these files: what is sent there gets 503 (NC)`)
  } else if (subset !== undefined && !known.hasSubset(host, subset)) {
    yield issue(one, [...path, 'subset'], `no DestinationRule in these files has a subset ${subset} of ${host}: what is sent there gets 503 (NC)`)
  }
}

function* unknownRuleHost(one: Resource, written: string, known: Known): Iterable<ReferenceIssue> {
  const host = known.resolve(written, one.metadata.namespace)
  if (known.canJudge(host) && !known.hasHost(host)) yield issue(one, ['spec', 'host'], `there is no service ${host} in these files: the rule has no effect`)
}
