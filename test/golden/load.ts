// Reads a golden case: the first document says for whom and what to show, the others are the mesh. Kinds are taken as
// they stand, durations parsed: what a kind's own rules say is tested with the kinds.
import { parseAllDocuments } from 'yaml'
import { parseDuration } from '../../src/kinds/fields/duration.ts'
import type { Resource } from '../../src/model/resource.ts'
import { meshSettings } from '../../src/control/mesh-settings.ts'
import type { World } from '../../src/control/snapshot.ts'
import type { MeshConfigSpec } from '../../src/control/specs.ts'
import type { NodeLike } from '../../src/control/translate/proxy-node.ts'
import type { TypeName } from '../../src/control/translate/table.ts'
import { bookinfo, endpoint, resource, service, workload } from '../support/bookinfo-world.ts'

export interface Shown {
  readonly type: TypeName
  readonly name: string
  /** `virtual_hosts.0.routes`; without it, all of the resource. */
  readonly path?: string
}

export interface GoldenCase {
  readonly node: NodeLike
  readonly show: readonly Shown[]
  /** Fields left out wherever they stand: what the case is not about. */
  readonly omit: readonly string[]
  readonly world: World
}

interface Head {
  readonly node: string | NodeLike
  readonly show: readonly Shown[]
  readonly omit?: readonly string[]
  readonly mesh?: MeshConfigSpec
}

const durations = new Set([
  'timeout', 'perTryTimeout', 'backoff', 'fixedDelay', 'connectTimeout', 'idleTimeout', 'interval', 'baseEjectionTime', 'ttl', 'maxAge',
  'time', 'budgetInterval', 'duration', 'warmupDurationSecs', 'maxConnectionDuration', 'protocolDetectionTimeout', 'dnsRefreshRate',
])

export function loadCase(text: string): GoldenCase {
  const [head, ...documents] = parseAllDocuments(text).map((one) => one.toJS() as unknown)
  const { node, show, omit = [], mesh } = head as Head
  const extra = documents as readonly Record<string, unknown>[]
  const base = bookinfo(...extra.filter((one) => one['kind'] !== 'World').map(asResource))
  return { node: typeof node === 'string' ? { id: node } : node, show, omit, world: { ...addServices(base, extra), mesh: meshSettings(withDurations(mesh ?? {})) } }
}

type WorldService = NonNullable<Parameters<typeof service>[1]> & {
  readonly name: string
  readonly endpoints?: readonly { readonly address: string; readonly labels?: Record<string, string> }[]
}

/** `kind: World` documents add services to the mesh, each with the addresses of its endpoints. */
function addServices(world: World, documents: readonly Record<string, unknown>[]): World {
  const services = [...world.services]
  const endpoints = [...world.endpoints]
  for (const document of documents.filter((one) => one['kind'] === 'World')) {
    for (const spec of document['services'] as WorldService[]) {
      const made = service(spec.name, spec)
      services.push(made)
      for (const one of spec.endpoints ?? []) {
        const at = workload(spec.name, one.address, one.labels ?? {}, { namespace: made.namespace })
        endpoints.push(endpoint(made, at, one))
      }
    }
  }
  return { ...world, services, endpoints }
}

function asResource(document: Record<string, unknown>, index: number): Resource {
  const metadata = document['metadata'] as { name: string; namespace?: string; created?: number }
  return resource(String(document['kind']), metadata.name, withDurations(document['spec']), {
    namespace: metadata.namespace ?? 'default', created: metadata.created ?? index, line: index * 100,
  })
}

function withDurations<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map((one) => withDurations(one as unknown)) as Value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) =>
    [key, durations.has(key) && typeof one === 'string' ? parseDuration(one) : withDurations(one as unknown)])) as Value
}
