// All workloads of a world, found by label, address and name. Selection goes by the rarest label of the selector, so that
// a thousand services over ten thousand Pods do not look at each Pod a thousand times.
import type { Workload } from '../../model/workload.ts'

type Labels = Readonly<Record<string, string>>

const none: readonly Workload[] = []

export class WorkloadPool {
  readonly all: readonly Workload[]
  readonly #byLabel = new Map<string, Workload[]>()
  readonly #onNode: (workload: Workload) => boolean
  /** Made when a cluster's lists of endpoints first ask. */
  #lookup: Lookup | undefined

  /** Selectors may ask for `keys` only. `onNode`: whether a workload has its node's address (hostNetwork), which says little about who is there. */
  constructor(workloads: readonly Workload[], keys: ReadonlySet<string>, onNode: (workload: Workload) => boolean) {
    this.all = workloads
    this.#onNode = onNode
    for (const workload of workloads) {
      for (const key in workload.labels) if (keys.has(key)) add(this.#byLabel, labelKey(workload.namespace, key, workload.labels[key]!), workload)
    }
  }

  /** In order of appearance. An empty selector selects nothing. */
  select(namespace: string, selector: Labels): readonly Workload[] {
    const wanted = Object.entries(selector)
    let rarest: readonly Workload[] | undefined
    for (const [key, value] of wanted) {
      const found = this.#byLabel.get(labelKey(namespace, key, value)) ?? none
      if (rarest === undefined || found.length < rarest.length) rarest = found
    }
    if (rarest === undefined || wanted.length === 1) return rarest ?? none
    return rarest.filter((one) => wanted.every(([key, value]) => one.labels[key] === value))
  }

  /** Of several on one address, the one that has the port; alone on an address of its own, it may have any. */
  at(address: string, port: number): Workload | undefined {
    const found = this.#lookups().byAddress.get(address) ?? none
    const [only] = found
    return found.find((one) => one.ports.some((each) => each.containerPort === port))
      ?? (found.length === 1 && !this.#onNode(only!) ? only : undefined)
  }

  named(kind: Workload['kind'], namespace: string, name: string): Workload | undefined {
    return this.#lookups().byName.get(`${kind}/${namespace}/${name}`)
  }

  #lookups(): Lookup {
    if (this.#lookup !== undefined) return this.#lookup
    const byName = new Map<string, Workload>()
    const byAddress = new Map<string, Workload[]>()
    for (const workload of this.all) {
      byName.set(`${workload.kind}/${workload.namespace}/${workload.name}`, workload)
      for (const address of workload.addresses) add(byAddress, address, workload)
    }
    return (this.#lookup = { byName, byAddress })
  }
}

interface Lookup {
  readonly byName: ReadonlyMap<string, Workload>
  readonly byAddress: ReadonlyMap<string, readonly Workload[]>
}

function add(lists: Map<string, Workload[]>, key: string, workload: Workload): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [workload])
  else list.push(workload)
}

const labelKey = (namespace: string, key: string, value: string): string => `${namespace} ${key} ${value}`
