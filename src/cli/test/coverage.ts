// Which rules and match blocks of the VirtualServices the tests reached, and which no request can ever reach, since an
// earlier one takes it. Rules are counted from 0, as `spec.http[3]` counts them.
import type { Snapshot } from '../../control/snapshot.ts'
import type { VirtualService } from '../../control/snapshot/virtual-services.ts'
import type { VirtualServiceSpec } from '../../kinds/networking/virtual-service.ts'
import { unreachableRules } from '../../kinds/networking/unreachable-rules.ts'
import type { FieldPath } from '../../model/resource.ts'
import { formatPath } from '../../model/resource.ts'
import type { Answer } from '../explain/answer.ts'

/** One rule without match, or one match block. */
export interface CoveredRule {
  /** `namespace/name`. */
  readonly virtualService: string
  readonly protocol: Protocol
  readonly rule: number
  readonly match: number | null
  readonly name: string | null
  readonly file: string
  readonly line: number
  readonly hits: number
  /** Why no request can reach it; null where one can. */
  readonly unreachable: string | null
}

export interface Coverage {
  readonly total: number
  readonly reached: number
  /** 100 where there is nothing to reach. */
  readonly percent: number
  readonly rules: readonly CoveredRule[]
}

type Protocol = 'http' | 'tcp' | 'tls'
const l4 = ['tcp', 'tls'] as const

type Unit = Omit<CoveredRule, 'hits' | 'unreachable'> & { readonly path: FieldPath; readonly virtual: VirtualService }

export class CoverageCount {
  readonly #units: readonly Unit[]
  readonly #known: ReadonlyMap<string, Unit>
  readonly #hits = new Map<Unit, number>()

  constructor({ virtualServices }: Snapshot) {
    this.#units = virtualServices.all.flatMap(unitsOf)
    this.#known = new Map(this.#units.map((one) => [keyOf(one), one]))
  }

  /** Counts the rule that an answer comes from. */
  count(answer: Answer): void {
    for (const unit of this.#reachedBy(answer)) this.#hits.set(unit, (this.#hits.get(unit) ?? 0) + 1)
  }

  result(): Coverage {
    const why = unreachableIn([...new Set(this.#units.map((one) => one.virtual))])
    const rules = this.#units.map((unit): CoveredRule => {
      const { virtualService, protocol, rule, match, name, file, line } = unit
      const found = why.get(unit.virtual)
      const unreachable = found?.get(formatPath(unit.path)) ?? found?.get(formatPath(unit.path.slice(0, 2))) ?? null
      return { virtualService, protocol, rule, match, name, file, line, hits: this.#hits.get(unit) ?? 0, unreachable }
    })
    const reached = rules.filter(({ hits }) => hits > 0).length
    return { total: rules.length, reached, percent: rules.length === 0 ? 100 : (reached / rules.length) * 100, rules }
  }

  #reachedBy({ matchedVirtualService, routeIndex, matchIndex, protocol, origin }: Answer): readonly Unit[] {
    if (matchedVirtualService === null || routeIndex === null) return []
    const at = { virtualService: matchedVirtualService, rule: routeIndex }
    const lists = protocol === 'http' ? (['http'] as const) : l4
    const units = lists.flatMap((protocol) => [
      this.#known.get(keyOf({ ...at, protocol, match: matchIndex })) ?? this.#known.get(keyOf({ ...at, protocol, match: null })) ?? [],
    ].flat())
    // Which of the two lists of connections it was, only the place tells.
    return units.length < 2 ? units : units.filter(({ line }) => line === origin?.line)
  }
}

const keyOf = ({ virtualService, protocol, rule, match }: Pick<Unit, 'virtualService' | 'protocol' | 'rule' | 'match'>): string =>
  `${virtualService} ${protocol} ${rule} ${match ?? ''}`

type Rules = readonly { readonly name?: string | undefined; readonly match?: readonly object[] | undefined; readonly delegate?: object | undefined }[]

function unitsOf(virtual: VirtualService): readonly Unit[] {
  const spec = virtual.spec as Readonly<Partial<Record<Protocol, Rules>>>
  return (['http', ...l4] as const).flatMap((protocol) =>
    (spec[protocol] ?? []).flatMap((rule, index) => placesOf(rule).map((match) => unitOf(virtual, protocol, rule, index, match))))
}

/** Match blocks, or the rule as a whole. */
function placesOf(rule: Rules[number]): readonly (number | null)[] {
  if (rule.delegate !== undefined) return [] // what becomes of it, the delegate's own rules show
  const blocks = rule.match?.length ?? 0
  return blocks === 0 ? [null] : Array.from({ length: blocks }, (_, match) => match)
}

function unitOf(virtual: VirtualService, protocol: Protocol, rule: Rules[number], index: number, match: number | null): Unit {
  const path: FieldPath = match === null ? ['spec', protocol, index] : ['spec', protocol, index, 'match', match]
  const { file, line } = virtual.locate(path)
  const { namespace, name } = virtual.metadata
  return { virtualService: `${namespace}/${name}`, protocol, rule: index, match, name: rule.name || null, file, line, path: path.slice(1), virtual }
}

/** As `validate` says it, by the path of the rule or block. */
function unreachableIn(all: readonly VirtualService[]): ReadonlyMap<VirtualService, ReadonlyMap<string, string>> {
  return new Map(all.map((one) => {
    const findings = unreachableRules.flatMap((rule) => [...rule.check(one.spec as VirtualServiceSpec, one.metadata)])
    return [one, new Map(findings.map(([path, message]) => [formatPath(path), message.replace(/^is never reached: /, '')]))]
  }))
}

/** `rule 3 (match 1) of VirtualService prod/reviews (reviews.yaml:12)`. */
export function ruleName({ virtualService, protocol, rule, match, file, line }: CoveredRule): string {
  return `${protocol === 'http' ? '' : `${protocol} `}rule ${rule}${match === null ? '' : ` (match ${match})`} of VirtualService ${virtualService} (${file}:${line})`
}
