// Several sources as one world: resources of all, and the services, workloads and endpoints that follow from them
// (traffic spec 5.3). The control plane makes it into a snapshot.
import type { MeshConfigSpec } from '../kinds/core/mesh-config.ts'
import type { Resource } from '../model/resource.ts'
import { resourceKey } from '../model/resource.ts'
import type { Endpoint, Service } from '../model/service.ts'
import type { Workload } from '../model/workload.ts'
import { discovered } from './discovery.ts'
import { findMeshConfig } from './mesh-config.ts'
import { keepList, sameParts } from './registry/memo.ts'
import { Registry, registeredKinds } from './registry/registry.ts'
import type { Registered } from './registry/registry.ts'
import type { SourceIssue, SourceState } from './source.ts'

export interface MergedWorld {
  /** Without those that only say which services and workloads there are: Pods, Services and their like. */
  readonly resources: readonly Resource[]
  readonly services: readonly Service[]
  readonly workloads: readonly Workload[]
  readonly endpoints: readonly Endpoint[]
  /** Undefined: no ConfigMap says anything. */
  readonly meshConfig: MeshConfigSpec | undefined
  readonly issues: readonly SourceIssue[]
  readonly held: ReadonlySet<string>
}

export interface MergeOptions {
  /** The cluster's DNS domain. */
  readonly domain: string
  /** What has its address from here has one of each family. */
  readonly dualStack?: boolean
}

/** Never edited: a change makes a new one. Whether a Process takes traffic, by `namespace/name`; missing means that it does. */
export type Readiness = Pick<ReadonlyMap<string, boolean>, 'get'>

const everythingReady: Readiness = new Map()

/** Kinds that are used up here: nobody reads them once the services and workloads are known. Tests are none of a mesh's business. */
const usedUp: ReadonlySet<string> = new Set([
  'Service', 'EndpointSlice', 'Endpoints', 'Pod', 'Deployment', 'Node', 'Namespace', 'ServiceAccount', 'ConfigMap', 'RouteTest',
])

/** It is shown no others. */
const registered: ReadonlySet<string> = new Set(registeredKinds)

/** What the registry made last, and of what. */
interface LastRegistered {
  readonly resources: readonly Resource[]
  readonly rootNamespace: string
  readonly ready: Readiness
  readonly result: Registered | undefined
}

/** Merges again and again. Addresses that it gave stay, and lists in which nothing changed are the same lists. */
export class WorldMerger {
  readonly #options: MergeOptions
  readonly #registry = new Registry()
  #states: readonly SourceState[] = []
  #joined: Joined = { resources: [], issues: [] }
  #resources: readonly Resource[] = []
  #registered: LastRegistered = { resources: [], rootNamespace: '', ready: everythingReady, result: undefined }
  #ready: Readiness = everythingReady
  #world: MergedWorld | undefined

  constructor(options: Partial<MergeOptions> = {}) {
    this.#options = { domain: 'cluster.local', ...options }
  }

  /** The first source that has a resource decides. The same states and readiness give the same world. */
  merge(states: readonly SourceState[], ready: Readiness = everythingReady): MergedWorld {
    const same = sameParts(this.#states, states)
    if (same && this.#world !== undefined && this.#ready === ready) return this.#world
    if (!same) {
      this.#states = [...states]
      const joined = join(states)
      this.#joined = { ...joined, resources: discovered(joined.resources, findMeshConfig(joined.resources).meshConfig) }
      this.#resources = keepList(this.#resources, this.#joined.resources.filter((one) => !usedUp.has(one.kind)))
    }
    this.#ready = ready
    this.#world = this.#mergeJoined(ready)
    return this.#world
  }

  #mergeJoined(ready: Readiness): MergedWorld {
    const { meshConfig, issues: ofMesh } = findMeshConfig(this.#joined.resources)
    const rootNamespace = meshConfig?.rootNamespace ?? 'istio-system'
    const registered = this.#register(rootNamespace, ready)
    return {
      resources: this.#resources,
      services: registered.services,
      workloads: registered.workloads,
      endpoints: registered.endpoints,
      meshConfig,
      issues: [...this.#joined.issues, ...ofMesh, ...registered.issues],
      held: new Set(this.#states.flatMap((one) => [...one.held])),
    }
  }

  /** Rules of traffic, which are what is edited most, say nothing of which services there are. */
  #register(rootNamespace: string, ready: Readiness): Registered {
    const resources = keepList(this.#registered.resources, this.#joined.resources.filter((one) => registered.has(one.kind)))
    const { result, ...parts } = this.#registered
    if (result !== undefined && sameParts([parts.resources, parts.rootNamespace, parts.ready], [resources, rootNamespace, ready])) return result
    const made = this.#registry.build(resources, { ...this.#options, rootNamespace, ready })
    this.#registered = { resources, rootNamespace, ready, result: made }
    return made
  }
}

interface Joined {
  readonly resources: readonly Resource[]
  readonly issues: readonly SourceIssue[]
}

function join(states: readonly SourceState[]): Joined {
  const [only] = states
  if (states.length === 1) return only!
  const seen = new Map<string, Resource>()
  const twice: SourceIssue[] = []
  for (const one of states.flatMap((state) => state.resources)) {
    const key = resourceKey(one.kind, one.metadata.namespace, one.metadata.name)
    const first = seen.get(key)
    if (first === undefined) seen.set(key, one)
    else twice.push({ ...thereTwice(one, first.origin), resource: key })
  }
  return { resources: [...seen.values()], issues: [...states.flatMap((state) => state.issues), ...twice] }
}

/** Of two objects with one name, the first one stands. */
export function thereTwice(one: Pick<Resource, 'kind' | 'metadata' | 'locate'>, first: { readonly file: string; readonly line: number }): Omit<SourceIssue, 'resource'> {
  const { name, namespace } = one.metadata
  const path = ['metadata', 'name']
  const where = namespace === '' ? '' : ` in namespace ${namespace}`
  return {
    severity: 'error', path, origin: one.locate(path),
    message: `${one.kind} ${name}${where} is there already, at ${first.file}:${first.line}: that one stands; rename or remove one of them`,
  }
}
