// Policies of security that attach to workloads by selector, namespace or root namespace, and to gateways by reference
// (security spec 2.6): which of them hold at a proxy.
import type { Resource } from '../../model/resource.ts'
import { selects } from '../hosts.ts'

interface TargetRef {
  readonly group: string
  readonly kind: string
  readonly name: string
}

interface AttachedSpec {
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> } | undefined
  readonly targetRef?: TargetRef | undefined
  readonly targetRefs: readonly TargetRef[]
}

interface Proxied {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

export const gatewayGroup = 'gateway.networking.k8s.io'

/** What a proxy of a Gateway of the Gateway API is labelled with: the Gateway's name. */
export const gatewayNameLabel = `${gatewayGroup}/gateway-name`

export class AttachedPolicies<Policy extends Resource<AttachedSpec>> {
  readonly #rootNamespace: string
  readonly #byNamespace: ReadonlyMap<string, readonly Policy[]>

  constructor(policies: readonly Policy[], rootNamespace: string) {
    this.#rootNamespace = rootNamespace
    this.#byNamespace = Map.groupBy(policies, ({ metadata }) => metadata.namespace)
  }

  /** Those of the root namespace first, each by age. */
  of(proxy: Proxied, type: string): readonly Policy[] {
    if (this.#byNamespace.size === 0) return []
    const namespaces = [...new Set([this.#rootNamespace, proxy.namespace])]
    return namespaces.flatMap((namespace) => this.#byNamespace.get(namespace) ?? []).filter((policy) => this.#holds(policy, proxy, type))
  }

  #holds({ spec, metadata: { namespace } }: Policy, { labels, namespace: own }: Proxied, type: string): boolean {
    const targets = spec.targetRef === undefined ? spec.targetRefs : [spec.targetRef, ...spec.targetRefs]
    // What is bound to a Gateway or Service says nothing of workloads, and the other way round.
    if (targets.length === 0) return type !== 'waypoint' && selects(spec.selector?.matchLabels ?? {}, labels)
    if (type === 'sidecar') return false
    return targets.some((target) => {
      if (target.group !== gatewayGroup) return type === 'waypoint' && namespace === own // for all that it serves: rather too much than nothing
      if (target.kind === 'Gateway') return namespace === own && target.name === labels[gatewayNameLabel]
      return target.kind === 'GatewayClass' && type === 'waypoint' && namespace === this.#rootNamespace && target.name === 'istio-waypoint'
    })
  }
}
