// Which localities traffic is spread over, and where it goes when one fails (traffic spec 2.3).
import { error } from '../kind.ts'
import type { Finding, Rule } from '../kind.ts'
import type { LocalityLbSetting, ZoneAwareLbSetting } from './load-balancer.ts'

/** What both settings have. */
const failoverRules = <Setting extends Pick<LocalityLbSetting, 'failover' | 'failoverPriority'>>(): readonly Rule<Setting>[] => [
  error(function* ({ failover }) {
    for (const [index, { from, to }] of failover.entries()) {
      for (const [name, region] of [['from', from], ['to', to]] as const) {
        if (region === '' || /[/*]/.test(region)) yield [['failover', index, name], `must be a region, without zone and wildcard, not ${JSON.stringify(region)}`]
      }
      if (from === to) yield [['failover', index, 'to'], `must be another region than ${from}`]
    }
  }),
  error(function* ({ failoverPriority }) {
    const seen = new Set<string>()
    for (const [index, label] of failoverPriority.entries()) {
      const key = label.split('=', 1)[0]!
      if (key === '') yield [['failoverPriority', index], 'must be the key of a label, or key=value']
      if (seen.has(key)) yield [['failoverPriority', index], `the label ${key} is there twice: remove one`]
      seen.add(key)
    }
  }),
]

const placeLabels: ReadonlySet<string> = new Set(['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone'])

export const zoneAwareRules: readonly Rule<ZoneAwareLbSetting>[] = [
  ...failoverRules<ZoneAwareLbSetting>(),
  error(function* ({ failoverPriority }) {
    for (const [index, label] of failoverPriority.entries()) {
      const key = label.split('=', 1)[0]!
      if (placeLabels.has(key)) yield [['failoverPriority', index], `${key} is no label to order by here: zones are balanced by the proxy, regions by failover`]
    }
  }),
]

export const localityRules: readonly Rule<LocalityLbSetting>[] = [
  error(function* ({ distribute, failover, failoverPriority }) {
    if (distribute.length === 0) return
    if (failover.length > 0) yield [['failover'], 'cannot stand beside distribute: remove one of them']
    if (failoverPriority.length > 0) yield [['failoverPriority'], 'cannot stand beside distribute: remove one of them']
  }),
  error(function* ({ distribute }) {
    yield* localityProblems(distribute.map(({ from }, index) => [['distribute', index, 'from'], from]))
    for (const [index, { to }] of distribute.entries()) {
      const at = ['distribute', index, 'to']
      yield* localityProblems(Object.keys(to).map((name) => [[...at, name], name]))
      for (const [name, weight] of Object.entries(to)) {
        if (weight < 1 || weight > 100) yield [[...at, name], `must be a weight of 1 to 100, not ${weight}`]
      }
      const total = Object.values(to).reduce((sum, weight) => sum + weight, 0)
      if (total !== 100) yield [at, `weights must add up to 100, not ${total}`]
    }
  }),
  ...failoverRules<LocalityLbSetting>(),
]

/** `region/zone/subzone`, each shorter form, and `*` at the end; none may be part of another. */
function* localityProblems(named: readonly (readonly [Finding[0], string])[]): Iterable<Finding> {
  const seen: string[] = []
  for (const [path, name] of named) {
    const parts = name.split('/')
    if (parts.length > 3 || parts.some((part) => part === '')) {
      yield [path, `${JSON.stringify(name)} is not a locality: write region, region/zone or region/zone/subzone`]
    } else if (name.slice(0, -1).includes('*')) {
      yield [path, `${JSON.stringify(name)}: a wildcard is allowed only at the end`]
    } else {
      const other = seen.find((one) => isPart(name, one) || isPart(one, name))
      if (other !== undefined) yield [path, `${name} overlaps ${other}, which is there too: keep one of them`]
      seen.push(name)
    }
  }
}

function isPart(name: string, of: string): boolean {
  const whole = of.endsWith('*') ? of.slice(0, -1).replace(/\/$/, '') : of
  return whole === '' || name === whole || name.startsWith(`${whole}/`)
}
