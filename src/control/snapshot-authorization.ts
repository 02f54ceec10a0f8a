// Which AuthorizationPolicies hold at a workload or gateway (security spec 2.6).
import type { AuthorizationPolicySpec } from '../kinds/security/authorization-policy.ts'
import type { Resource } from '../model/resource.ts'
import { selects } from './hosts.ts'

export type AuthorizationPolicy = Resource<AuthorizationPolicySpec>

interface Proxied {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

const gatewayGroup = 'gateway.networking.k8s.io'

/** What a proxy of a Gateway of the Gateway API is labelled with: the Gateway's name. */
export const gatewayNameLabel = `${gatewayGroup}/gateway-name`

export class AuthorizationIndex {
  readonly #rootNamespace: string
  readonly #byNamespace: ReadonlyMap<string, readonly AuthorizationPolicy[]>

  constructor(policies: readonly AuthorizationPolicy[], rootNamespace: string) {
    this.#rootNamespace = rootNamespace
    this.#byNamespace = Map.groupBy(policies, ({ metadata }) => metadata.namespace)
  }

  /** Those of the root namespace first, each by age. */
  of(proxy: Proxied, type: string): readonly AuthorizationPolicy[] {
    const namespaces = [...new Set([this.#rootNamespace, proxy.namespace])]
    return namespaces.flatMap((namespace) => this.#byNamespace.get(namespace) ?? []).filter((policy) => this.#holds(policy, proxy, type))
  }

  #holds({ spec, metadata: { namespace } }: AuthorizationPolicy, { labels, namespace: own }: Proxied, type: string): boolean {
    const targets = spec.targetRef === undefined ? spec.targetRefs : [spec.targetRef, ...spec.targetRefs]
    // What is bound to a Gateway or Service says nothing of workloads, and the other way round.
    if (targets.length === 0) return type !== 'waypoint' && selects(spec.selector?.matchLabels ?? {}, labels)
    const gateway = labels[gatewayNameLabel]
    if (gateway === undefined || type === 'sidecar') return false
    return targets.some((target) => target.group === gatewayGroup && (target.kind === 'Gateway'
      ? namespace === own && target.name === gateway
      : target.kind === 'GatewayClass' && type === 'waypoint' && namespace === this.#rootNamespace && target.name === 'istio-waypoint'))
  }
}
