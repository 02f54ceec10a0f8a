// PCDS: of how an agent is set up, the one thing that operators write for workloads which register themselves: how their
// application is asked whether it is well (WorkloadGroup.probe, traffic spec 1.8).
import type { WorkloadGroupSpec } from '../../kinds/networking/workload-group.ts'
import type { Resource } from '../../model/resource.ts'
import { ProxyConfigSchema } from '../../proto/gen/istio/mesh/v1alpha1/proxy_pb.ts'
import type { ReadinessProbeSchema } from '../../proto/gen/istio/networking/v1alpha3/workload_group_pb.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Init } from './any.ts'
import type { ProxyNode } from './proxy-node.ts'
import { translator } from './translator.ts'

type Probe = NonNullable<WorkloadGroupSpec['probe']>

/** Istio's is the only resource of its type, and has no name. Who registers by no group with a probe has none. */
export const readinessProbe = translator<{ readonly probe: Probe }, typeof ProxyConfigSchema>('readiness-probe', {
  schema: ProxyConfigSchema,
  names: (proxy, snapshot) => (probeFor(proxy, snapshot) === undefined ? [] : ['']),
  view(proxy, snapshot, name) {
    const probe = name === '' ? probeFor(proxy, snapshot) : undefined
    return probe === undefined ? undefined : { probe }
  },
  build: ({ probe }) => ({ readinessProbe: messageOf(probe) }),
})

function probeFor({ group, namespace }: ProxyNode, snapshot: Snapshot): Probe | undefined {
  if (group === '') return undefined
  const groups = snapshot.ofKind('WorkloadGroup') as readonly Resource<WorkloadGroupSpec>[]
  return groups.find(({ metadata }) => metadata.name === group && metadata.namespace === namespace)?.spec.probe
}

/** With the defaults, so that whoever reads it needs none of its own. */
function messageOf(probe: Probe): Init<typeof ReadinessProbeSchema> {
  const { initialDelaySeconds, timeoutSeconds, periodSeconds, successThreshold, failureThreshold } = probe
  return {
    initialDelaySeconds,
    timeoutSeconds: timeoutSeconds || 1,
    periodSeconds: periodSeconds || 10,
    successThreshold: successThreshold || 1,
    failureThreshold: failureThreshold || 3,
    healthCheckMethod: methodOf(probe),
  }
}

function methodOf({ httpGet, tcpSocket, exec }: Probe): NonNullable<Init<typeof ReadinessProbeSchema>['healthCheckMethod']> {
  if (httpGet !== undefined) return { case: 'httpGet', value: { ...httpGet, httpHeaders: [...httpGet.httpHeaders] } }
  if (tcpSocket !== undefined) return { case: 'tcpSocket', value: { ...tcpSocket } }
  return exec === undefined ? { case: undefined } : { case: 'exec', value: { command: [...exec.command] } }
}
