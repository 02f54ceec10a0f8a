// VirtualServices by who may use them: sidecars by visibility and age, gateways by the Gateway that they are bound to
// (traffic spec 1.2.8). Delegates have no hosts and count only when referenced.
import type { Resource } from '../../model/resource.ts'
import { resolveHost, visible } from '../hosts.ts'
import type { MeshSettings } from '../mesh-settings.ts'
import type { VirtualServiceSpec } from '../virtual-service-spec.ts'

export type VirtualService = Resource<VirtualServiceSpec>

export const meshGateway = 'mesh'

export class VirtualServiceIndex {
  readonly all: readonly VirtualService[]
  readonly #byKey = new Map<string, VirtualService>()
  readonly #visible = new Map<string, readonly VirtualService[]>()
  readonly #mesh: MeshSettings

  /** `all` is in order of age. */
  constructor(all: readonly VirtualService[], mesh: MeshSettings) {
    this.all = all
    this.#mesh = mesh
    for (const one of all) this.#byKey.set(`${one.metadata.namespace}/${one.metadata.name}`, one)
  }

  get(namespace: string, name: string): VirtualService | undefined {
    return this.#byKey.get(`${namespace}/${name}`)
  }

  /** The delegates that a root may use: without hosts, and exported to its namespace. */
  delegatesFor(root: VirtualService): (namespace: string, name: string) => VirtualService | undefined {
    return (namespace, name) => {
      const found = this.get(namespace, name)
      const usable = found !== undefined && (found.spec.hosts ?? []).length === 0 && this.sees(root.metadata.namespace, found)
      return usable ? found : undefined
    }
  }

  sees(namespace: string, one: VirtualService): boolean {
    return visible(this.#exportTo(one), one.metadata.namespace, namespace)
  }

  /** Private ones of the namespace first, then those exported to it by name, then public ones; each by age. */
  visibleTo(namespace: string): readonly VirtualService[] {
    let found = this.#visible.get(namespace)
    if (found === undefined) {
      const seen = this.all.filter((one) => (one.spec.hosts ?? []).length > 0 && this.sees(namespace, one))
      found = seen.toSorted((one, other) => this.#rank(one, namespace) - this.#rank(other, namespace))
      this.#visible.set(namespace, found)
    }
    return found
  }

  #rank(one: VirtualService, namespace: string): number {
    const exportTo = this.#exportTo(one)
    if (exportTo.includes('*')) return 2
    const own = one.metadata.namespace === namespace && exportTo.every((to) => to === '.' || to === namespace)
    return own ? 0 : 1
  }

  #exportTo(one: VirtualService): readonly string[] {
    const { exportTo } = one.spec
    return exportTo === undefined || exportTo.length === 0 ? this.#mesh.virtualServiceExportTo : exportTo
  }
}

/** The gateways of a VirtualService or of one match block: `mesh`, or `namespace/name`. */
export function gatewayNames(gateways: readonly string[] | undefined, namespace: string): readonly string[] {
  if (gateways === undefined || gateways.length === 0) return [meshGateway]
  return gateways.map((name) => gatewayName(name, namespace))
}

function gatewayName(name: string, namespace: string): string {
  if (name === meshGateway || name.includes('/')) return name.startsWith('./') ? `${namespace}/${name.slice(2)}` : name
  const [legacyName, legacyNamespace] = name.split('.')
  return legacyNamespace === undefined ? `${namespace}/${name}` : `${legacyNamespace}/${legacyName}`
}

/** Every gateway that a VirtualService names, at the top or in a match block. */
export function boundGateways(one: VirtualService): ReadonlySet<string> {
  const { namespace } = one.metadata
  const inBlocks = [...(one.spec.http ?? []), ...(one.spec.tcp ?? []), ...(one.spec.tls ?? [])]
    .flatMap((rule) => rule.match ?? [])
    .flatMap((match) => (match.gateways === undefined || match.gateways.length === 0 ? [] : gatewayNames(match.gateways, namespace)))
  return new Set([...gatewayNames(one.spec.gateways, namespace), ...inBlocks])
}

export function hostsOf(one: VirtualService, mesh: MeshSettings): readonly string[] {
  return (one.spec.hosts ?? []).map((host) => resolveHost(host, one.metadata.namespace, mesh.domain))
}

/** Every host that a VirtualService may send to. */
export function destinationsOf(one: VirtualService, mesh: MeshSettings): readonly string[] {
  const { namespace } = one.metadata
  const hosts: string[] = []
  for (const rule of one.spec.http ?? []) {
    for (const route of rule.route ?? []) hosts.push(route.destination.host)
    for (const mirror of rule.mirrors ?? []) hosts.push(mirror.destination.host)
    if (rule.mirror !== undefined) hosts.push(rule.mirror.host)
  }
  for (const rule of [...(one.spec.tcp ?? []), ...(one.spec.tls ?? [])]) for (const route of rule.route ?? []) hosts.push(route.destination.host)
  return hosts.map((host) => resolveHost(host, namespace, mesh.domain))
}
