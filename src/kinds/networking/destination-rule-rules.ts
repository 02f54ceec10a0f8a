// What spans several fields of a DestinationRule (traffic spec 1.3.1, 1.3.7).
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { DestinationRule } from './destination-rule.ts'

export const destinationRuleRules: readonly Rule<DestinationRule>[] = [
  error(function* (spec) {
    const seen = new Set<string>()
    for (const [index, { name }] of (spec.subsets ?? []).entries()) {
      if (seen.has(name)) yield [['subsets', index, 'name'], `subset ${name} is there twice: rename or remove one`]
      seen.add(name)
    }
  }),
]
