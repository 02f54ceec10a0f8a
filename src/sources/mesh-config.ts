// Which of the ConfigMaps says how the mesh is set up.
import { isMeshConfigMap, meshConfigOf } from '../kinds/core/config-map.ts'
import type { ConfigMapSpec } from '../kinds/core/config-map.ts'
import type { MeshConfigSpec } from '../kinds/core/mesh-config.ts'
import type { Resource } from '../model/resource.ts'
import { resourceKey } from '../model/resource.ts'
import type { SourceIssue } from './source.ts'

const usualNamespace = 'istio-system'

const parsed = new WeakMap<Resource, MeshConfigSpec | undefined>()

export interface FoundMeshConfig {
  readonly meshConfig: MeshConfigSpec | undefined
  readonly issues: readonly SourceIssue[]
}

/** `istio` in istio-system, or in the namespace that it itself names as root; `istio-<revision>` where that is not there. */
export function findMeshConfig(resources: Iterable<Resource>): FoundMeshConfig {
  const candidates = [...resources].filter((one): one is Resource<ConfigMapSpec> =>
    one.kind === 'ConfigMap' && isMeshConfigMap(one.metadata.name) && (one as Resource<ConfigMapSpec>).spec.data['mesh'] !== undefined)
  const used = candidates.filter(isInRoot).toSorted((one, other) => one.metadata.name.length - other.metadata.name.length)[0]
  const unused = candidates.filter((one) => one !== used)
  return { meshConfig: used === undefined ? undefined : specOf(used), issues: unused.map((one) => notUsed(one, used)) }
}

function specOf(one: Resource<ConfigMapSpec>): MeshConfigSpec | undefined {
  if (!parsed.has(one)) parsed.set(one, meshConfigOf(one.spec))
  return parsed.get(one)
}

function isInRoot(one: Resource<ConfigMapSpec>): boolean {
  const { namespace } = one.metadata
  return namespace === usualNamespace || specOf(one)?.rootNamespace === namespace
}

function notUsed(one: Resource<ConfigMapSpec>, used: Resource | undefined): SourceIssue {
  const { name, namespace } = one.metadata
  const why = used === undefined
    ? `the mesh's settings stand in namespace ${usualNamespace}, not in ${namespace}`
    : `the mesh's settings are those of ConfigMap ${used.metadata.name} at ${used.origin.file}:${used.origin.line}`
  return {
    severity: 'warning', message: `is not used: ${why}`, path: ['metadata', 'name'], origin: one.locate(['metadata', 'name']),
    resource: resourceKey('ConfigMap', namespace, name),
  }
}
