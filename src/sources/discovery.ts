// MeshConfig.discoverySelectors: which namespaces the mesh looks at. What stands in another one is not there for it, whatever
// it is; the root namespace always is.
import type { MeshConfigSpec, NamespaceSelector } from '../kinds/core/mesh-config.ts'
import type { Resource } from '../model/resource.ts'

type Labels = Readonly<Record<string, string>>

/** The same list where nothing is left out. */
export function discovered(resources: readonly Resource[], mesh: MeshConfigSpec | undefined): readonly Resource[] {
  const selectors = mesh?.discoverySelectors ?? []
  if (selectors.length === 0) return resources
  const labelled = new Map(resources.filter((one) => one.kind === 'Namespace').map(({ metadata }) => [metadata.name, metadata.labels]))
  const verdicts = new Map<string, boolean>([['', true], [mesh?.rootNamespace ?? '', true]])
  const isSeen = (namespace: string): boolean => {
    const known = verdicts.get(namespace) ?? isSelected(namespace, labelled.get(namespace) ?? {}, selectors)
    verdicts.set(namespace, known)
    return known
  }
  return resources.filter(({ metadata }) => isSeen(metadata.namespace))
}

/** Kubernetes gives every namespace a label with its name. One selector is enough. */
function isSelected(namespace: string, written: Labels, selectors: readonly NamespaceSelector[]): boolean {
  const labels = { ...written, 'kubernetes.io/metadata.name': namespace }
  return selectors.some(({ matchLabels = {}, matchExpressions = [] }) =>
    Object.entries(matchLabels).every(([key, value]) => ofKey(labels, key) === value) && matchExpressions.every((one) => fits(labels, one)))
}

const ofKey = (labels: Labels, key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined)

function fits(labels: Labels, { key, operator, values = [] }: NonNullable<NamespaceSelector['matchExpressions']>[number]): boolean {
  const value = ofKey(labels, key)
  switch (operator) {
    case 'Exists': return value !== undefined
    case 'DoesNotExist': return value === undefined
    case 'In': return value !== undefined && values.includes(value)
    case 'NotIn': return value === undefined || !values.includes(value)
  }
}
