// Resources in, what they mean for the mesh out: services, the workloads behind them, and their endpoints. Pure but for
// what it remembers of the last time: addresses that it gave stay, and what did not change is the same object.
import { isIP } from '../../kinds/fields/host.ts'
import type { Specs } from '../../kinds/table.ts'
import type { Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import type { Endpoint, Service } from '../../model/service.ts'
import type { Workload } from '../../model/workload.ts'
import type { SourceIssue } from '../source.ts'
import { AddressPool, processRange, serviceEntryRange, serviceRange } from './address-pool.ts'
import { addressesOfEndpoints, addressesOfSlice, endpointsOfLists, serviceOfSlice } from './endpoint-lists.ts'
import { listedEndpoints, reachable, selectedEndpoints } from './endpoints.ts'
import { hostnameOf, kubernetesService, needsAddress, ofFamilies } from './kubernetes-services.ts'
import type { KubernetesService } from './kubernetes-services.ts'
import { Memo, ObjectMemo, keepList } from './memo.ts'
import { entryHosts, entryNeedsAddress, entryService } from './service-entries.ts'
import type { EntryHost } from './service-entries.ts'
import { WorkloadPool } from './workload-pool.ts'
import { entryWorkload, podWorkload, processWorkload } from './workloads.ts'

export interface RegistryOptions {
  readonly domain: string
  readonly rootNamespace: string
  /** Whether a Process takes traffic, by `namespace/name`; those that nobody watches are taken to be ready. */
  readonly ready: Pick<ReadonlyMap<string, boolean>, 'get'>
  /** Processes have addresses of both families, and Services those that they ask for. */
  readonly dualStack?: boolean
}

export interface Registered {
  readonly services: readonly Service[]
  readonly workloads: readonly Workload[]
  readonly endpoints: readonly Endpoint[]
  readonly issues: readonly SourceIssue[]
}

/** Kinds that say which services, workloads and endpoints there are. */
export const registeredKinds = [
  'Service', 'ServiceEntry', 'EndpointSlice', 'Endpoints', 'Pod', 'Process', 'WorkloadEntry', 'Node', 'Namespace',
] as const satisfies readonly (keyof Specs)[]

type ByKind = <Name extends (typeof registeredKinds)[number]>(kind: Name) => readonly Resource<Specs[Name]>[]
type Addresses = ReadonlyMap<string, string>
type Taken = () => ReadonlySet<string>

const nameOf = ({ metadata }: Resource): string => `${metadata.namespace}/${metadata.name}`
const hostKey = ({ namespace, hostname }: EntryHost): string => `${namespace}/${hostname}`

export class Registry {
  readonly #entryAddresses = new AddressPool(serviceEntryRange)
  readonly #serviceAddresses = new AddressPool(serviceRange)
  readonly #processAddresses = new AddressPool(processRange)
  readonly #workloadMemo = new ObjectMemo<Workload | undefined>()
  readonly #serviceMemo = new Memo<Service>()
  readonly #endpointMemo = new Memo<readonly Endpoint[]>()
  readonly #poolMemo = new Memo<WorkloadPool>()
  #last: Registered = { services: [], workloads: [], endpoints: [], issues: [] }

  build(resources: readonly Resource[], options: RegistryOptions): Registered {
    const groups = Map.groupBy(resources, (one) => one.kind)
    const byKind: ByKind = (kind) => (groups.get(kind) ?? []) as never
    const network = byKind('Namespace').find((one) => one.metadata.name === options.rootNamespace)?.metadata.labels['topology.istio.io/network'] ?? ''
    const taken = once(() => takenBy(byKind))
    const workloads = keepList(this.#last.workloads, this.#workloads(byKind, options, network, taken))
    const pool = this.#poolOf(workloads, byKind)
    const { hosts, issues } = this.#hosts(byKind, options.domain)
    const kubernetes = this.#kubernetes(byKind, options, pool, taken)
    const external = this.#external(hosts, pool, network)
    const built = [...kubernetes, ...external]
    for (const memo of [this.#serviceMemo, this.#endpointMemo, this.#poolMemo]) memo.nextRound()
    this.#last = {
      services: keepList(this.#last.services, built.map(({ service }) => service)),
      workloads,
      endpoints: keepList(this.#last.endpoints, built.flatMap(({ endpoints }) => endpoints)),
      issues: [...issues, ...unreachable(built.map(({ service }) => service), pool)],
    }
    return this.#last
  }

  #workloads(byKind: ByKind, { ready, dualStack = false }: RegistryOptions, network: string, taken: Taken): readonly Workload[] {
    const nodes = new Map(byKind('Node').map((node) => [node.metadata.name, node.metadata.labels]))
    const pods = byKind('Pod').map((pod) => {
      const labels = nodes.get(pod.spec.spec.nodeName ?? '')
      return this.#workloadMemo.of(pod, [labels, network], () => podWorkload(pod, labels, network))
    })
    const written = byKind('Process')
    const addresses = addressesFor(this.#processAddresses, written, taken)
    const processes = written.map((process) => {
      const name = nameOf(process)
      const parts = [addresses.get(name) ?? '', ready.get(name) ?? true, network, dualStack] as const
      return this.#workloadMemo.of(process, parts, () => processWorkload(process, ...parts))
    })
    const entries = byKind('WorkloadEntry').map((entry) =>
      this.#workloadMemo.of(entry, [network], () => entryWorkload(entry, network)))
    return [...pods, ...processes, ...entries].filter((one) => one !== undefined)
  }

  #poolOf(workloads: readonly Workload[], byKind: ByKind): WorkloadPool {
    const onNode = new Set(byKind('Pod').filter((pod) => pod.spec.spec.hostNetwork === true).map(nameOf))
    const keys = selectorKeys(byKind)
    return this.#poolMemo.of('pool', [workloads, ...[...onNode].sort(), '', ...[...keys].sort()], () =>
      new WorkloadPool(workloads, keys, (one) => one.kind === 'Pod' && onNode.has(`${one.namespace}/${one.name}`)))
  }

  #hosts(byKind: ByKind, domain: string) {
    const kubernetes = new Set(byKind('Service').map((one) => `${one.metadata.namespace}/${hostnameOf(one, domain)}`))
    return entryHosts(byKind('ServiceEntry'), (key) => kubernetes.has(key))
  }

  #kubernetes(byKind: ByKind, options: RegistryOptions, pool: WorkloadPool, taken: Taken) {
    const written = byKind('Service')
    const addresses = addressesFor(this.#serviceAddresses, written.filter(needsAddress), taken)
    const slices = Map.groupBy(byKind('EndpointSlice'), serviceOfSlice)
    const lists = Map.groupBy(byKind('Endpoints'), nameOf)
    return written.map((resource) => {
      const name = nameOf(resource)
      const service = this.#service(resource, addresses, options)
      const listed = slices.has(name)
        ? slices.get(name)!.flatMap((one) => addressesOfSlice(one, pool))
        : lists.get(name)?.flatMap((one) => addressesOfEndpoints(one, pool))
      const selected = service.selector === undefined ? [] : pool.select(service.namespace, service.selector)
      // A cluster's lists name the Pods already; Processes and WorkloadEntries are in none of them.
      const own = listed === undefined ? selected : selected.filter((one) => one.kind !== 'Pod')
      const evenUnready = resource.spec.spec.publishNotReadyAddresses
      const parts = [service, evenUnready, ...(slices.get(name) ?? lists.get(name) ?? []), ...(listed ?? []).map((one) => one.workload), ...own]
      const endpoints = this.#endpointMemo.of(`Service/${name}`, parts, () => [
        ...endpointsOfLists(service, listed ?? [], evenUnready),
        ...selectedEndpoints(service, own, evenUnready),
      ])
      return { service, endpoints }
    })
  }

  #service(resource: KubernetesService, addresses: Addresses, { domain, dualStack = false }: RegistryOptions): Service {
    const address = addresses.get(nameOf(resource))
    const allocated = (): readonly string[] => (address === undefined ? [] : ofFamilies(resource, address, dualStack))
    return this.#serviceMemo.of(`Service/${nameOf(resource)}`, [resource, address, domain, dualStack], () => kubernetesService(resource, allocated(), domain))
  }

  #external(hosts: readonly EntryHost[], pool: WorkloadPool, network: string) {
    const taken = new Set(hosts.flatMap(({ entries }) => entries.flatMap(({ spec }) => spec.addresses)))
    const addresses = this.#entryAddresses.assign(hosts.filter(entryNeedsAddress).map(hostKey), taken)
    return hosts.map((host) => {
      const key = `ServiceEntry/${hostKey(host)}`
      const address = addresses.get(hostKey(host))
      const service = this.#serviceMemo.of(key, [address, ...host.entries], () => entryService(host, address))
      const selected = [...new Set(host.entries.flatMap(({ metadata, spec }) =>
        spec.workloadSelector === undefined ? [] : pool.select(metadata.namespace, spec.workloadSelector.labels)))]
      const endpoints = this.#endpointMemo.of(key, [service, network, ...selected], () => [
        ...host.entries.flatMap((entry) => listedEndpoints(service, entry, network)),
        ...selectedEndpoints(service, selected, false),
      ])
      return { service, endpoints }
    })
  }
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined
  return () => (made ??= { value: make() }).value
}

/** In a cluster everything has its address already: then nobody asks which are taken. */
function addressesFor(pool: AddressPool, needy: readonly Resource[], taken: Taken): Addresses {
  return needy.length === 0 ? new Map() : pool.assign(needy.map(nameOf), taken())
}

/** Addresses that objects have from elsewhere: none of these is given again. */
function takenBy(byKind: ByKind): ReadonlySet<string> {
  const taken = new Set<string>()
  for (const { spec: { spec } } of byKind('Service')) for (const one of [spec.clusterIP, ...spec.clusterIPs, ...spec.externalIPs]) taken.add(one)
  for (const { spec: { status } } of byKind('Pod')) taken.add(status?.podIP ?? '')
  for (const { spec } of byKind('WorkloadEntry')) taken.add(spec.address)
  return taken
}

/** The labels by which anything is selected: only these need an index. */
function selectorKeys(byKind: ByKind): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const { spec: { spec } } of byKind('Service')) for (const key of Object.keys(spec.selector ?? {})) keys.add(key)
  for (const { spec } of byKind('ServiceEntry')) for (const key of Object.keys(spec.workloadSelector?.labels ?? {})) keys.add(key)
  return keys
}

/** Names where only addresses can be used: said once for each workload, not passed over. */
function unreachable(services: readonly Service[], pool: WorkloadPool): readonly SourceIssue[] {
  const named = pool.all.filter(({ kind, addresses: [address] }) => kind !== 'Pod' && address !== undefined && !isIP(address) && !address.startsWith('unix:'))
  return named.flatMap((workload): SourceIssue[] => {
    const service = services.find((one) => one.namespace === workload.namespace && one.selector !== undefined
      && !reachable(one, workload.addresses[0]!) && pool.select(one.namespace, one.selector).includes(workload))
    if (service === undefined) return []
    return [{
      severity: 'warning',
      message: `${workload.addresses[0]} is a name, and ${service.hostname} takes addresses only: no traffic of it comes here; give an IP address, or let the service have resolution DNS`,
      path: ['spec', 'address'],
      origin: workload.origin,
      resource: resourceKey(workload.kind, workload.namespace, workload.name),
    }]
  })
}
