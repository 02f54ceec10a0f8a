// What of `exportTo` needs to know the namespace (traffic spec 1.1). The rest is in fields/labels.ts.
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'

export const exportToRules = <Value extends { exportTo?: string[] | undefined }>(): readonly Rule<Value>[] => [
  error(function* ({ exportTo = [] }, { namespace }) {
    if (exportTo.includes('.') && exportTo.includes(namespace)) {
      yield [['exportTo'], `"." is the namespace ${namespace}, which is named too: keep one of them`]
    }
  }),
]
