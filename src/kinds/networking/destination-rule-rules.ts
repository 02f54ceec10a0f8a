// What spans several fields of a DestinationRule (traffic spec 1.3.1). Policies are in traffic-policy-rules.ts.
import { each, error, warning, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { DestinationRule, Subset } from './destination-rule.ts'
import { exportToRules } from './export-to-rules.ts'
import type { TrafficPolicy } from './traffic-policy.ts'
import { trafficPolicyRules } from './traffic-policy-rules.ts'

export const destinationRuleRules: readonly Rule<DestinationRule>[] = [
  error(function* ({ subsets }) {
    const seen = new Set<string>()
    for (const [index, { name }] of subsets.entries()) {
      if (seen.has(name)) yield [['subsets', index, 'name'], `subset ${name} is there twice: rename or remove one`]
      seen.add(name)
    }
  }),
  error(function* ({ workloadSelector, exportTo = [] }, { namespace }) {
    if (workloadSelector === undefined) return
    for (const [index, to] of exportTo.entries()) {
      if (to !== '.' && to !== namespace) yield [['exportTo', index], `a DestinationRule with workloadSelector is for clients of its own namespace, not for ${JSON.stringify(to)}: write "." or remove exportTo`]
    }
  }),
  warning(function* ({ workloadSelector }) {
    if (workloadSelector !== undefined && Object.keys(workloadSelector.matchLabels).length === 0) {
      yield [['workloadSelector'], 'selects every client of the namespace, since it has no matchLabels']
    }
  }),
  ...exportToRules<DestinationRule>(),
  ...within<DestinationRule, TrafficPolicy>(({ trafficPolicy }) => trafficPolicy, ['trafficPolicy'], trafficPolicyRules),
  ...each<DestinationRule, Subset>(({ subsets }) => subsets, ['subsets'], within(({ trafficPolicy }) => trafficPolicy, ['trafficPolicy'], trafficPolicyRules)),
]
