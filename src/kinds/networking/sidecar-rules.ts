// What spans several fields of a Sidecar (traffic spec 1.6).
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { Sidecar } from './sidecar.ts'

export const sidecarRules: readonly Rule<Sidecar>[] = [
  error(function* (spec) {
    for (const [index, { hosts }] of (spec.egress ?? []).entries()) {
      if (hosts.length === 0) yield [['egress', index, 'hosts'], 'an egress listener needs hosts']
    }
  }),
]
