// What spans several fields of a ServiceEntry (traffic spec 1.5).
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { ServiceEntry } from './service-entry.ts'

export const serviceEntryRules: readonly Rule<ServiceEntry>[] = [
  error(function* (spec) {
    if (spec.workloadSelector !== undefined && (spec.endpoints ?? []).length > 0) {
      yield [['endpoints'], 'endpoints and workloadSelector exclude each other: keep one']
    }
  }),
]
