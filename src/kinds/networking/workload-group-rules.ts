// What spans several fields of a WorkloadGroup (traffic spec 1.8).
import { error, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { WorkloadEntry } from './workload-entry.ts'
import { workloadEntryRules } from './workload-entry-rules.ts'
import type { WorkloadGroup } from './workload-group.ts'

/** Stands for the one that each workload brings. */
const someAddress = '192.0.2.1'

export const workloadGroupRules: readonly Rule<WorkloadGroup>[] = [
  ...within<WorkloadGroup, WorkloadEntry>(({ template }) => ({ ...template, address: someAddress }), ['template'], workloadEntryRules),
  error(function* ({ probe }) {
    if (probe === undefined) return
    const { httpGet, tcpSocket, exec } = probe
    const methods = [httpGet, tcpSocket, exec].filter((one) => one !== undefined)
    if (methods.length !== 1 && probe.grpc === undefined) yield [['probe'], 'must have exactly one of httpGet, tcpSocket and exec']
    if (exec !== undefined && exec.command.length === 0) yield [['probe', 'exec', 'command'], 'must name a program']
    for (const [index, { name }] of (httpGet?.httpHeaders ?? []).entries()) {
      if (name === '') yield [['probe', 'httpGet', 'httpHeaders', index, 'name'], 'is required']
    }
  }),
]
