// What the policies of a filter chain decide about a connection or request, and why: the chain's own RBAC filters,
// compiled as they serve, asked about facts that a person gave. What tokens say is found out before (tokens.ts).
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { RBACSchema } from '../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { IpFact, IpNumber, RbacFacts } from '../../security/rbac/expression.ts'
import { whyDenied } from '../../security/rbac/why.ts'
import type { Metadata } from '../http/dynamic-metadata.ts'
import { parseIp } from '../listen/cidr.ts'
import { RbacCounters } from '../rbac/counters.ts'
import { compileEngines } from '../rbac/engine.ts'
import type { Engines, RbacEngine } from '../rbac/engine.ts'
import type { DecodedChain } from '../xds/listener.ts'

export interface Denial {
  /** `AuthorizationPolicy/namespace/name`: the one that denies, or of those that might have allowed it the nearest. */
  readonly policy: string
  readonly rule: number | null
  readonly reason: string
}

/** Who asks, and for what, as the proxy that decides would know it. */
export interface Arriving {
  /** Names that a certificate proves; undefined for plaintext. */
  readonly identities: readonly string[] | undefined
  readonly serverName: string
  readonly sourceIp: string
  readonly remoteIp: string
  readonly destination: { readonly host: string; readonly port: number }
  /** What filters learnt of its tokens. */
  readonly metadata?: ReadonlyMap<string, Metadata> | undefined
  /** Undefined for bytes. `path` with its query; header names in lower case. */
  readonly request: { readonly method: string; readonly authority: string; readonly path: string; readonly headers: readonly (readonly [name: string, value: string])[] } | undefined
}

const compiled = new WeakMap<DecodedChain, readonly Engines[]>()

/** Undefined: nothing denies it. */
export function denialAt(chain: DecodedChain, arriving: Arriving): Denial | undefined {
  const engines = compiled.get(chain) ?? enginesOf(chain)
  compiled.set(chain, engines)
  const facts = new GivenFacts(arriving)
  for (const { enforced } of engines) {
    const verdict = enforced?.judge(facts)
    if (enforced !== undefined && verdict?.allowed === false) return denialBy(enforced, verdict.policy, facts)
  }
  return undefined
}

/** What each policy of a chain that holds for something does with it. */
export interface PolicyVerdict {
  readonly policy: string
  readonly rule: number | null
  readonly action: string
  readonly dryRun: boolean
  readonly matches: boolean
  readonly why: string
}

export function verdictsAt(chain: DecodedChain, arriving: Arriving): readonly PolicyVerdict[] {
  const facts = new GivenFacts(arriving)
  return enginesOf(chain).flatMap(({ enforced, shadow }) => [...verdictsOf(enforced, facts, false), ...verdictsOf(shadow, facts, true)])
}

function verdictsOf(engine: RbacEngine | undefined, facts: RbacFacts, dryRun: boolean): PolicyVerdict[] {
  if (engine === undefined) return []
  const { action, policies } = engine.decisions
  return policies.map((policy) => {
    const matches = engine.decisions.matches(policy, facts)
    const { reason } = whyDenied({ action: matches ? 'deny' : 'allow', policies: [policy] }, matches ? policy : undefined, facts)
    return { ...namesOf(policy.name), action: action === 'log' ? 'AUDIT' : action.toUpperCase(), dryRun, matches, why: reason }
  })
}

function enginesOf({ terminal }: DecodedChain): readonly Engines[] {
  const counters = new RbacCounters()
  if (terminal.kind === 'tcp') return terminal.guards.flatMap((guard) => (guard.kind === 'rbac' ? [compileEngines(guard.config, '', counters)] : []))
  return terminal.config.httpFilters.flatMap(({ configType }) => {
    const config = configType.case === 'typedConfig' ? anyUnpack(configType.value, RBACSchema) : undefined
    return config === undefined ? [] : [compileEngines(config, '', counters)]
  })
}

function denialBy({ decisions }: RbacEngine, name: string, facts: RbacFacts): Denial {
  const matched = decisions.policies.find((one) => one.name === name)
  const { policy = '', reason } = whyDenied(decisions, matched, facts)
  const said = matched === undefined ? `no policy allows it; the nearest ${reason}` : `its rule is met: ${reason}`
  return { ...namesOf(policy), reason: said }
}

/** `ns[default]-policy[viewers]-rule[0]`, as Istio and we call them. */
function namesOf(name: string): Pick<Denial, 'policy' | 'rule'> {
  const [, namespace, policy, rule] = /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]/.exec(name) ?? []
  return rule === undefined ? { policy: name === '' ? 'AuthorizationPolicy' : name, rule: null } : { policy: `AuthorizationPolicy/${namespace}/${policy}`, rule: Number(rule) }
}

class GivenFacts implements RbacFacts {
  readonly #given: Arriving

  constructor(given: Arriving) {
    this.#given = given
  }

  get identities(): readonly string[] | undefined {
    return this.#given.identities
  }

  get serverName(): string {
    return this.#given.serverName
  }

  get destinationPort(): number {
    return this.#given.destination.port
  }

  get path(): string | undefined {
    return this.#given.request?.path.split(/[?#]/)[0]
  }

  ip(fact: IpFact): IpNumber | undefined {
    const { sourceIp, remoteIp, destination } = this.#given
    return parseIp({ source: sourceIp, remote: remoteIp, destination: destination.host }[fact])
  }

  header(name: string): string | readonly string[] | undefined {
    const { request } = this.#given
    switch (name) {
      case ':method': return request?.method
      case ':path': return request?.path
      case ':authority':
      case 'host': return request?.authority
      default: {
        const found = request?.headers.filter(([key]) => key === name).map(([, value]) => value) ?? []
        return found.length > 1 ? found : found[0]
      }
    }
  }

  metadata(namespace: string): Metadata | undefined {
    return this.#given.metadata?.get(namespace)
  }
}
