// Tries to translate each resource that changed, by itself, before a snapshot uses it. One that has no translation is held
// at its last good version, or kept out when there is none; all others go on.
import type { Resource } from '../../model/resource.ts'
import type { Issue } from '../../model/resource.ts'
import { describe } from '../../lib/errors.ts'
import type { MeshSettings } from '../mesh-settings.ts'
import { effectivePolicy } from '../snapshot/destination-rules.ts'
import type { DestinationRule } from '../snapshot/destination-rules.ts'
import { gatewayNames } from '../snapshot/virtual-services.ts'
import type { VirtualService } from '../snapshot/virtual-services.ts'
import { circuitBreakers, loadBalancing, outlierDetection } from '../translate/cluster/traffic-policy.ts'
import type { RouteContext } from '../translate/route/context.ts'
import { problemsIn } from '../translate/route/http-rules.ts'
import { keyOf } from './keys.ts'

/** An issue, and the key of the resource that it is about. */
export type ResourceIssue = Issue & { readonly resource: string }

export interface Admitted {
  /** What the snapshot uses. */
  readonly resources: readonly Resource[]
  /** Why a resource is not used as it was written. */
  readonly problems: readonly ResourceIssue[]
  /** Keys of resources that an earlier version stands in for. */
  readonly held: ReadonlySet<string>
}


export class Admission {
  #good = new Map<string, Resource>()
  readonly #seen = new WeakMap<Resource, readonly Issue[]>()

  admit(resources: readonly Resource[], mesh: MeshSettings): Admitted {
    const problems: ResourceIssue[] = []
    const held = new Set<string>()
    const good = new Map<string, Resource>()
    const used = resources.flatMap((one) => {
      const found = this.#check(one, mesh)
      const key = keyOf(one)
      const stand = found.length === 0 ? one : this.#good.get(key)
      problems.push(...found.map((issue) => ({ ...issue, resource: key })))
      if (found.length > 0 && stand !== undefined) held.add(key)
      if (stand !== undefined) good.set(key, stand)
      return stand === undefined ? [] : [stand]
    })
    this.#good = good
    return { resources: used, problems, held }
  }

  #check(one: Resource, mesh: MeshSettings): readonly Issue[] {
    const known = this.#seen.get(one)
    if (known !== undefined) return known
    const found = check(one, mesh)
    this.#seen.set(one, found)
    return found
  }
}

function check(one: Resource, mesh: MeshSettings): readonly Issue[] {
  try {
    if (one.kind === 'VirtualService') return checkVirtualService(one as VirtualService, mesh)
    if (one.kind === 'DestinationRule') checkDestinationRule(one as DestinationRule)
    return []
  } catch (error) {
    return [{ severity: 'error', message: describe(error), path: ['spec'], origin: one.origin }]
  }
}

function checkVirtualService(one: VirtualService, mesh: MeshSettings): readonly Issue[] {
  const context: RouteContext = {
    mesh, clientNamespace: one.metadata.namespace, clientLabels: {}, port: 80, listensForTls: false,
    gateways: gatewayNames(one.spec.gateways, one.metadata.namespace),
    serviceAt: () => undefined,
    ruleOf: () => undefined,
    delegateAt: () => undefined,
  }
  return problemsIn(one, context).map(({ rule, message }) => {
    const path = ['spec', 'http', rule]
    return { severity: 'error', message, path, origin: one.locate(path) }
  })
}

/** Throws what translation would throw. */
function checkDestinationRule(one: DestinationRule): void {
  const { trafficPolicy, subsets = [] } = one.spec
  const merged = { host: one.spec.host, namespace: '', exportTo: [], selector: undefined, rules: [one], trafficPolicy, subsets }
  for (const subset of ['', ...subsets.map((each) => each.name)]) {
    const policy = effectivePolicy(merged, 0, subset)
    loadBalancing(policy.loadBalancer)
    circuitBreakers(policy.connectionPool)
    outlierDetection(policy.outlierDetection)
  }
}
