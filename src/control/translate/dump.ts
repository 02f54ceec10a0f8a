// Everything that one proxy would get, in Envoy's JSON mapping, for `trysail xds dump`. Secrets by name only: their
// contents never leave through a debug door.
import { toJson } from '@bufbuild/protobuf'
import type { JsonValue } from '@bufbuild/protobuf'
import { xdsRegistry } from '../../proto/registry.ts'
import type { Snapshot } from '../snapshot.ts'
import { readProxyNode } from './proxy-node.ts'
import type { NodeLike } from './proxy-node.ts'
import { ProxyResources } from './proxy-resources.ts'
import type { BuildProblem } from './proxy-resources.ts'
import { translators } from './table.ts'
import type { TypeName } from './table.ts'
import { BuildCache } from './translator.ts'
import type { Built } from './translator.ts'

export interface Dump {
  readonly listeners: readonly JsonValue[]
  readonly routes: readonly JsonValue[]
  readonly clusters: readonly JsonValue[]
  readonly endpoints: readonly JsonValue[]
  /** Names. */
  readonly secrets: readonly string[]
}

/** Throws `control/bad-node` for a node that is none. */
export function dump(node: NodeLike, snapshot: Snapshot, report: (problem: BuildProblem) => void = () => {}): Dump {
  const resources = new ProxyResources(readProxyNode(node), new BuildCache(), report)
  const all = (type: TypeName) => resources.lists(type, snapshot).flat().map((built) => builtToJson(type, built))
  const listeners = all('LDS')
  const clusters = all('CDS')
  return { listeners, routes: all('RDS'), clusters, endpoints: all('EDS'), secrets: secretNames([...listeners, ...clusters]) }
}

/** One resource with all that is packed in it, snake_case as Envoy writes it. */
export function builtToJson(type: TypeName, built: Built): JsonValue {
  return toJson(translators[type][0]!.schema, built.message, { registry: xdsRegistry(), useProtoFieldName: true })
}

/** The secrets that resources refer to, wherever in them. */
function secretNames(within: readonly JsonValue[]): readonly string[] {
  const names = new Set<string>()
  const walk = (value: JsonValue): void => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) return value.forEach(walk)
    if (typeof value['name'] === 'string' && value['sds_config'] !== undefined) names.add(value['name'])
    Object.values(value).forEach(walk)
  }
  within.forEach(walk)
  return [...names].sort()
}
