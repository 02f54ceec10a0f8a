// Who asks: the workload or gateway that a person names, as the node that its proxy would be.
import type { Gateway, Snapshot } from '../../control/snapshot.ts'
import { selects } from '../../control/hosts.ts'
import type { NodeLike } from '../../control/translate/proxy-node.ts'
import type { DeploymentSpec } from '../../kinds/core/deployment.ts'
import type { Resource } from '../../model/resource.ts'
import type { Workload } from '../../model/workload.ts'
import { didYouMean } from '../nearest.ts'
import { UsageError } from '../usage-error.ts'

export interface Client {
  /** `default/productpage-v1`. */
  readonly name: string
  /** A gateway takes requests from outside; a sidecar those of its workload. */
  readonly type: 'sidecar' | 'router'
  readonly address: string
  readonly node: NodeLike
}

/** For a proxy that no workload stands behind: it is never dialled. */
const anyAddress = '127.0.0.1'

/**
 * A workload by its own name, then by the name of its Deployment, then a Deployment whose Pods are not known, then a
 * Gateway. Throws `UsageError` for an unknown one.
 */
export function findClient(snapshot: Snapshot, deployments: readonly Resource<DeploymentSpec>[], from: string): Client {
  const slash = from.indexOf('/')
  const [namespace, name] = slash < 0 ? ['default', from] : [from.slice(0, slash), from.slice(slash + 1)]
  const inside = snapshot.workloads.all.filter((one) => one.namespace === namespace)
  const workload = inside.find((one) => one.name === name) ?? inside.find((one) => one.workloadName === name)
  const asked = `${namespace}/${name}`
  if (workload !== undefined) return { ...ofWorkload(workload, snapshot), name: asked }
  const deployment = deployments.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
  if (deployment !== undefined) return ofWorkload(podOf(deployment), snapshot)
  const gateway = snapshot.gateways.find((one) => one.metadata.namespace === namespace && one.metadata.name === name)
  if (gateway !== undefined) return ofGateway(gateway, snapshot)
  throw new UsageError([`--from: no Pod, Process, Deployment or Gateway is named ${asked}${known(snapshot, deployments, asked)}`])
}

export function ofWorkload(workload: Proxied, snapshot: Snapshot): Client {
  const gateway = snapshot.gateways.some((one) => hasSelector(one) && selects(one.spec.selector ?? {}, workload.labels))
  return clientOf(workload, gateway ? 'router' : 'sidecar', snapshot)
}

/** A Pod as its Deployment would make it, without an address. */
function podOf({ metadata: { namespace, name }, spec: { spec: { template } } }: Resource<DeploymentSpec>): Proxied {
  const labels = template.metadata?.labels ?? {}
  return { namespace, name, labels, addresses: [], serviceAccount: template.spec?.serviceAccountName ?? 'default', workloadName: name }
}

const hasSelector = ({ spec }: Gateway): boolean => Object.keys(spec.selector ?? {}).length > 0

/** The proxy that a Gateway selects, of its own namespace if it can be; without one, a proxy with just the labels it asks for. */
function ofGateway(gateway: Gateway, snapshot: Snapshot): Client {
  const { namespace, name } = gateway.metadata
  const labels = gateway.spec.selector ?? {}
  const selected = hasSelector(gateway) ? snapshot.workloads.all.filter((one) => selects(labels, one.labels)) : []
  const workload = selected.find((one) => one.namespace === namespace) ?? selected[0]
  const proxy = workload ?? { namespace, name, labels, addresses: [], serviceAccount: 'default', workloadName: name }
  return { ...clientOf(proxy, 'router', snapshot), name: `${namespace}/${name}` }
}

type Proxied = Pick<Workload, 'namespace' | 'name' | 'labels' | 'addresses' | 'serviceAccount' | 'workloadName'> & Partial<Pick<Workload, 'locality'>>

function clientOf(proxy: Proxied, type: Client['type'], { mesh }: Snapshot): Client {
  const { namespace, name, labels, addresses, serviceAccount, workloadName, locality } = proxy
  const address = addresses[0] ?? anyAddress
  return {
    name: `${namespace}/${name}`,
    type,
    address,
    node: {
      id: `${type}~${address}~${name}.${namespace}~${namespace}.svc.${mesh.domain}`,
      metadata: { NAME: name, NAMESPACE: namespace, LABELS: { ...labels }, SERVICE_ACCOUNT: serviceAccount, WORKLOAD_NAME: workloadName },
      locality,
    },
  }
}

function known(snapshot: Snapshot, deployments: readonly Resource[], wanted: string): string {
  const names = [
    ...snapshot.workloads.all.flatMap((one) => [`${one.namespace}/${one.name}`, `${one.namespace}/${one.workloadName}`]),
    ...[...deployments, ...snapshot.gateways].map((one) => `${one.metadata.namespace}/${one.metadata.name}`),
  ]
  if (names.length === 0) return ': the files have none'
  const near = didYouMean(wanted, names)
  return near === '' ? `; there are ${[...new Set(names)].slice(0, maxNamed).join(', ')}` : near
}

const maxNamed = 20
