// CUSTOM policies that nobody can be asked about: what they are for is denied, which is safe and surely not meant.
import type { FieldPath } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import type { AuthorizationPolicy } from '../snapshot/authorization.ts'
import type { Snapshot } from '../snapshot.ts'
import { isDryRun } from '../translate/security/authorization.ts'
import { askProblem, providersOf } from '../translate/security/providers.ts'
import type { ResourceIssue } from './admission.ts'

const at: FieldPath = ['spec', 'provider', 'name']

export function authorizationIssues(snapshot: Snapshot): readonly ResourceIssue[] {
  const custom = (snapshot.ofKind('AuthorizationPolicy') as readonly AuthorizationPolicy[]).filter((one) => one.spec.action === 'CUSTOM' && !isDryRun(one))
  if (custom.length === 0) return []
  return [...custom.flatMap((policy) => {
    const problem = askProblem(policy.spec.provider?.name ?? '', snapshot)
    return problem === undefined ? [] : [issueOf(policy, problem)]
  }), ...severalProviders(custom, snapshot)]
}

/** A workload can have one provider. */
function severalProviders(custom: readonly AuthorizationPolicy[], snapshot: Snapshot): readonly ResourceIssue[] {
  const found = new Map<AuthorizationPolicy, string>()
  for (const workload of snapshot.workloads.all) {
    const own = snapshot.authorizations.of(workload, 'sidecar').filter((one) => custom.includes(one))
    const names = providersOf(own)
    if (names.length > 1) for (const policy of own) if (!found.has(policy)) found.set(policy, `${workload.namespace}/${workload.name} has policies for several providers (${names.join(', ')}), of which none is asked`)
  }
  return [...found].map(([policy, problem]) => issueOf(policy, problem))
}

function issueOf(policy: AuthorizationPolicy, problem: string): ResourceIssue {
  const { namespace, name } = policy.metadata
  return { severity: 'warning', message: `${problem}: what the policy is for is denied`, path: at, origin: policy.locate(at), resource: resourceKey('AuthorizationPolicy', namespace, name) }
}
