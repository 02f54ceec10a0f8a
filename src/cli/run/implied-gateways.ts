// The gateways that nobody wrote down: for each selector of a Gateway that no router Process answers to, a Process of its
// own, as if a file had it. So services select it, peers know its address, and it runs like any other.
import { process as processKind } from '../../kinds/trysail/process.ts'
import type { ProcessSpec } from '../../kinds/trysail/process.ts'
import type { GatewaySpec } from '../../kinds/networking/gateway.ts'
import type { KubernetesServiceSpec } from '../../kinds/core/service.ts'
import { ofKind } from '../../kinds/table.ts'
import type { Resource } from '../../model/resource.ts'
import type { Source, SourceState } from '../../sources/source.ts'

/** Where Istio installs gateways. */
const gatewayNamespace = 'istio-system'

/** The same objects as before where nothing about them changed. */
export function withGateways(source: Source): Source {
  let from: SourceState | undefined
  let state: SourceState | undefined
  let known: ReadonlyMap<string, Resource<ProcessSpec>> = new Map()
  return {
    start: (onChange) => source.start(onChange),
    close: () => source.close(),
    current() {
      const now = source.current()
      if (state !== undefined && from === now) return state
      known = new Map(impliedGateways(now.resources).map((one) => [identityOf(one), known.get(identityOf(one)) ?? one]))
      from = now
      state = known.size === 0 ? now : { ...now, resources: [...now.resources, ...known.values()] }
      return state
    },
  }
}

const identityOf = ({ metadata, spec, origin }: Resource): string => JSON.stringify([metadata, spec, origin])

export function impliedGateways(resources: readonly Resource[]): readonly Resource<ProcessSpec>[] {
  const processes = ofKind(resources, 'Process')
  const routers = processes.filter(({ spec }) => spec.proxyType === 'router')
  const taken = new Set(processes.map(nameOf))
  const made = new Map<string, Resource<ProcessSpec>>()
  for (const gateway of ofKind(resources, 'Gateway')) {
    const selector = gateway.spec.selector ?? {}
    if (routers.some(({ metadata }) => selects(selector, metadata.labels))) continue
    const one = impliedBy(gateway, selector, ofKind(resources, 'Service'))
    if (!made.has(nameOf(one)) && !taken.has(nameOf(one))) made.set(nameOf(one), one)
  }
  return [...made.values()]
}

/** `istio: ingressgateway` is Istio's own istio-ingressgateway, by name and by identity, in the namespace of its Service. */
function impliedBy({ origin }: Resource<GatewaySpec>, selector: Labels, services: readonly Resource<KubernetesServiceSpec>[]): Resource<ProcessSpec> {
  const role = selector['istio'] ?? selector['app'] ?? Object.values(selector)[0] ?? 'ingressgateway'
  const name = role.startsWith('istio-') ? role : `istio-${role}`
  const labels = { app: name, istio: role, ...selector }
  const namespace = services.find((one) => isOf(one, labels))?.metadata.namespace ?? gatewayNamespace
  return Object.freeze({
    apiVersion: 'trysail.dev/v1', kind: 'Process',
    metadata: { name, namespace, labels, annotations: {}, creationTimestamp: undefined, generation: 0 },
    spec: processKind.schema.parse({ proxyType: 'router', serviceAccount: `${name}-service-account` }),
    origin, locate: () => origin,
  })
}

type Labels = Readonly<Record<string, string>>

const nameOf = ({ metadata: { namespace, name } }: Resource): string => `${namespace}/${name}`

function isOf({ spec: { spec } }: Resource<KubernetesServiceSpec>, labels: Labels): boolean {
  const selector = spec.selector ?? {}
  return Object.keys(selector).length > 0 && selects(selector, labels)
}

const selects = (selector: Labels, labels: Labels): boolean => Object.entries(selector).every(([name, value]) => labels[name] === value)
