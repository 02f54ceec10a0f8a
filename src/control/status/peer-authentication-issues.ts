// PeerAuthentications that hold nowhere although they are well formed: of the root namespace with a selector, or hidden by
// an older one of the same scope. Whoever wrote one believes to be safe.
import type { Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import type { PeerAuthentication } from '../snapshot/peer-authentication.ts'
import type { Snapshot } from '../snapshot.ts'
import type { ResourceIssue } from './admission.ts'

export function peerAuthenticationIssues({ ofKind, mesh }: Pick<Snapshot, 'ofKind' | 'mesh'>): readonly ResourceIssue[] {
  const holding = new Map<string, Resource>()
  return (ofKind('PeerAuthentication') as readonly PeerAuthentication[]).flatMap((policy) => {
    const scope = scopeOf(policy)
    const { namespace } = policy.metadata
    if (namespace === mesh.rootNamespace && scope !== '') {
      return [issue(policy, ['spec', 'selector'], `holds nowhere: a policy of the root namespace ${namespace} cannot select workloads; put it into their namespace`)]
    }
    const older = holding.get(`${namespace} ${scope}`)
    if (older !== undefined) return [issue(policy, ['spec'], `is not used: ${nameOf(older)} is older and of the same scope; remove one of them`)]
    holding.set(`${namespace} ${scope}`, policy)
    return []
  })
}

/** Empty: the whole namespace. Two that select by other labels may still meet in a workload. */
function scopeOf({ spec }: PeerAuthentication): string {
  const labels = Object.entries(spec.selector?.matchLabels ?? {})
  return labels.map(([name, value]) => `${name}=${value}`).sort().join(',')
}

const nameOf = ({ metadata: { namespace, name }, origin: { file, line } }: Resource): string => `PeerAuthentication ${namespace}/${name} (${file}:${line})`

function issue(policy: Resource, path: readonly string[], message: string): ResourceIssue {
  const { kind, metadata: { namespace, name } } = policy
  return { severity: 'warning', message, path, origin: policy.locate(path), resource: resourceKey(kind, namespace, name) }
}
