// What spans several fields of a WorkloadEntry (traffic spec 1.7).
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { WorkloadEntry } from './workload-entry.ts'

export const workloadEntryRules: readonly Rule<WorkloadEntry>[] = [
  error(function* (spec) {
    if ((spec.address ?? '').startsWith('unix:') && Object.keys(spec.ports ?? {}).length > 0) {
      yield [['ports'], 'a unix address has no ports']
    }
  }),
]
