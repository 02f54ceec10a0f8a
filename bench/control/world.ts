// The world of the control plane's bench: services with one workload each, a VirtualService and a DestinationRule for every
// tenth, as resources of one source; and the edits that are measured, each of one object.
import { parseDocuments } from '../../src/kinds/parse.ts'
import type { Resource } from '../../src/model/resource.ts'
import type { Readiness } from '../../src/sources/merge.ts'
import type { SourceState } from '../../src/sources/source.ts'

export type EditName = 'route' | 'endpoint' | 'rule' | 'service'

export const editNames: readonly EditName[] = ['route', 'endpoint', 'rule', 'service']

/** As in real meshes, a namespace is a team. */
const servicesPerNamespace = 100

const namespaceOf = (index: number): string => `team-${Math.floor(index / servicesPerNamespace)}`

/** JSON is YAML: every object has its place in a file, as any other. */
function resourceOf(object: object): Resource {
  const { resources, issues } = parseDocuments(JSON.stringify(object), 'bench.json')
  if (resources.length !== 1) throw new Error(`a resource of the bench is wrong: ${JSON.stringify(issues)}`)
  return resources[0]!
}

const networking = 'networking.istio.io/v1'

function serviceAt(index: number): readonly Resource[] {
  const metadata = { name: `s${index}`, namespace: namespaceOf(index), labels: { app: `s${index}`, version: 'v1' } }
  return [
    resourceOf({ apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: `s${index}` }, ports: [{ name: 'http', port: 9080 }] } }),
    resourceOf({ apiVersion: 'trysail.dev/v1', kind: 'Process', metadata, spec: { ports: [{ name: 'http', containerPort: 9080 }] } }),
  ]
}

function routeAt(index: number, weight: number): Resource {
  const to = (subset: string, share: number) => ({ destination: { host: `s${index}`, subset }, weight: share })
  const spec = { hosts: [`s${index}`], http: [{ route: [to('v1', weight), to('v2', 100 - weight)] }] }
  return resourceOf({ apiVersion: networking, kind: 'VirtualService', metadata: { name: `s${index}`, namespace: namespaceOf(index) }, spec })
}

function ruleAt(index: number, connections: number): Resource {
  const subsets = ['v1', 'v2'].map((version) => ({ name: version, labels: { version } }))
  const spec = { host: `s${index}`, subsets, trafficPolicy: { connectionPool: { tcp: { maxConnections: connections } } } }
  return resourceOf({ apiVersion: networking, kind: 'DestinationRule', metadata: { name: `s${index}`, namespace: namespaceOf(index) }, spec })
}

export class BenchWorld {
  #resources: readonly Resource[]
  #ready: Readiness = new Map()
  readonly #services: number
  #edits = 0

  constructor(services: number) {
    this.#services = services
    this.#resources = Array.from({ length: services }, (_, i) => [...serviceAt(i), ...(i % 10 === 0 ? [routeAt(i, 50), ruleAt(i, 100)] : [])]).flat()
  }

  get state(): SourceState {
    return { resources: this.#resources, objects: [], issues: [], held: new Set() }
  }

  get ready(): Readiness {
    return this.#ready
  }

  /** Each time another one of its kind. */
  edit(name: EditName): void {
    const count = ++this.#edits
    switch (name) {
      case 'route':
        return this.#replace(routeAt(0, 1 + (count % 98)))
      case 'rule':
        return this.#replace(ruleAt(0, 100 + count))
      case 'endpoint':
        this.#ready = new Map([[`${namespaceOf(0)}/s0`, count % 2 === 0]])
        return
      case 'service':
        this.#resources = [...this.#resources, ...serviceAt(this.#services + count)]
    }
  }

  #replace(resource: Resource): void {
    const { kind, metadata: { name, namespace } } = resource
    this.#resources = this.#resources.map((one) => (one.kind === kind && one.metadata.name === name && one.metadata.namespace === namespace ? resource : one))
  }
}
