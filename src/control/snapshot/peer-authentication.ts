// Whether a workload's port takes mutual TLS, plaintext or both (security spec 2.1).
import type { Resource } from '../../model/resource.ts'
import { selects } from '../hosts.ts'
import type { PeerAuthenticationSpec } from '../specs.ts'

export type PeerAuthentication = Resource<PeerAuthenticationSpec>
export type PeerMode = 'DISABLE' | 'PERMISSIVE' | 'STRICT'

interface Peer {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

export class PeerAuthenticationIndex {
  /** Whether any policy turns mutual TLS off somewhere: without one nobody has to look. */
  readonly disables: boolean
  readonly #mesh: PeerAuthentication | undefined
  readonly #byNamespace = new Map<string, PeerAuthentication>()
  readonly #selecting = new Map<string, PeerAuthentication[]>()

  /** `policies` are in order of age: in each scope the oldest one holds. */
  constructor(policies: readonly PeerAuthentication[], rootNamespace: string) {
    this.disables = policies.some(({ spec }) => [spec.mtls, ...Object.values(spec.portLevelMtls ?? {})].some((one) => modeIn(one) === 'DISABLE'))
    for (const policy of policies) {
      const { namespace } = policy.metadata
      if (selectorOf(policy) === undefined) {
        if (!this.#byNamespace.has(namespace)) this.#byNamespace.set(namespace, policy)
      } else if (namespace !== rootNamespace) {
        // A policy of the root namespace that has a selector holds nowhere.
        this.#selecting.set(namespace, [...(this.#selecting.get(namespace) ?? []), policy])
      }
    }
    this.#mesh = this.#byNamespace.get(rootNamespace)
  }

  /** The mode of a workload's (container) port; without one, that of ports that no policy names. */
  modeOf(peer: Peer, port?: number): PeerMode {
    const policy = this.#policyOf(peer)
    return portMode(policy, port) ?? modeIn(policy?.spec.mtls) ?? this.namespaceMode(peer.namespace)
  }

  /** The mode of a namespace's workloads that no policy selects. */
  namespaceMode(namespace: string): PeerMode {
    return modeIn(this.#byNamespace.get(namespace)?.spec.mtls) ?? modeIn(this.#mesh?.spec.mtls) ?? 'PERMISSIVE'
  }

  /** The policy that says the mode of `modeOf`; undefined where none does. */
  decidedBy(peer: Peer, port?: number): PeerAuthentication | undefined {
    const policy = this.#policyOf(peer)
    if ((portMode(policy, port) ?? modeIn(policy?.spec.mtls)) !== undefined) return policy
    return [this.#byNamespace.get(peer.namespace), this.#mesh].find((one) => modeIn(one?.spec.mtls) !== undefined)
  }

  /** Ports that a policy names for this workload: they hold even where no service has the port. */
  namedPorts(peer: Peer): readonly number[] {
    return Object.keys(this.#policyOf(peer)?.spec.portLevelMtls ?? {}).map(Number)
  }

  #policyOf(peer: Peer): PeerAuthentication | undefined {
    return this.#selecting.get(peer.namespace)?.find((policy) => selects(selectorOf(policy)!, peer.labels))
  }
}

function selectorOf(policy: PeerAuthentication): Readonly<Record<string, string>> | undefined {
  const labels = policy.spec.selector?.matchLabels
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels
}

function portMode(policy: PeerAuthentication | undefined, port: number | undefined): PeerMode | undefined {
  return port === undefined ? undefined : modeIn(policy?.spec.portLevelMtls?.[String(port)])
}

function modeIn(mtls: { readonly mode?: string | undefined } | undefined): PeerMode | undefined {
  const mode = mtls?.mode
  return mode === 'DISABLE' || mode === 'PERMISSIVE' || mode === 'STRICT' ? mode : undefined
}
