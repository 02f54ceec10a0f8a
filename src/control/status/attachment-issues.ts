// Policies that are for a Gateway of the Gateway API which no proxy is known to serve: whoever wrote one believes that
// something is enforced.
import type { Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import { gatewayGroup, gatewayNameLabel } from '../snapshot/attached.ts'
import type { AuthorizationPolicy } from '../snapshot/authorization.ts'
import type { RequestAuthentication } from '../snapshot/request-authentication.ts'
import type { Peer, Snapshot } from '../snapshot.ts'
import type { ResourceIssue } from './admission.ts'

type Policy = AuthorizationPolicy | RequestAuthentication
type Router = Pick<Peer, 'namespace' | 'labels'>

/** `routers`: gateways that are connected; those that are workloads are known anyway. */
export function attachmentIssues(snapshot: Snapshot, routers: readonly Router[]): readonly ResourceIssue[] {
  const policies = ['AuthorizationPolicy', 'RequestAuthentication'].flatMap((kind) => snapshot.ofKind(kind) as readonly Policy[]).filter(hasTarget)
  if (policies.length === 0) return []
  const served = new Set([...routers, ...snapshot.workloads.all].flatMap(({ namespace, labels }) => (labels[gatewayNameLabel] === undefined ? [] : [`${namespace}/${labels[gatewayNameLabel]}`])))
  return policies.flatMap((policy) => targetsOf(policy).flatMap(({ target: { group, kind, name }, path }) => {
    const { namespace } = policy.metadata
    if (group !== gatewayGroup || kind !== 'Gateway' || served.has(`${namespace}/${name}`)) return []
    return [issue(policy, path, `no gateway with the label ${gatewayNameLabel}: ${name} is known in namespace ${namespace}: nothing is enforced for it before there is one`)]
  }))
}

const hasTarget = ({ spec: { targetRef, targetRefs } }: Policy): boolean => targetRef !== undefined || targetRefs.length > 0

function targetsOf({ spec: { targetRef, targetRefs } }: Policy) {
  const one = targetRef === undefined ? [] : [{ target: targetRef, path: ['spec', 'targetRef', 'name'] }]
  return [...one, ...targetRefs.map((target, index) => ({ target, path: ['spec', 'targetRefs', index, 'name'] }))]
}

function issue(policy: Resource, path: readonly (string | number)[], message: string): ResourceIssue {
  const { kind, metadata: { namespace, name } } = policy
  return { severity: 'warning', message, path, origin: policy.locate(path), resource: resourceKey(kind, namespace, name) }
}
