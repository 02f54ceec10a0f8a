// What became of everything that operators wrote: valid, held or rejected, with reasons and places, and how many proxies
// run it. Fed by the control plane, read by status commands, debug pages and the log.
import type { Clock } from '../../lib/clock.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Issue, Origin, Resource } from '../../model/resource.ts'
import { formatPath } from '../../model/resource.ts'
import type { ProxyNode } from '../translate/proxy-node.ts'
import type { BuildProblem } from '../translate/proxy-resources.ts'
import type { TypeName } from '../translate/table.ts'
import { keyOf } from './keys.ts'
import { ProxyRecord } from './proxies.ts'

/** `held`: an earlier version is in use, or the first one of several. `rejected`: none is. */
export type ResourceState = 'valid' | 'held' | 'rejected'

export interface ResourceStatus {
  /** `VirtualService/default/reviews`. */
  readonly key: string
  readonly state: ResourceState
  readonly origin: Origin
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
  /** What is in use is its last good version, not another resource of that name. */
  readonly earlier: boolean
  /** The first push that had this version. */
  readonly generation: number
}

export interface Rollout {
  readonly generation: number
  readonly acked: number
  readonly total: number
}

export class StatusBoard {
  readonly proxies = new Map<string, ProxyRecord>()
  readonly #clock: Clock
  readonly #waiters = new Set<() => void>()
  readonly #buildProblems = new Map<string, BuildProblem>()
  #resources: readonly ResourceStatus[] = []
  #used = new Map<string, { readonly resource: Resource; readonly generation: number }>()
  /** Counts of proxies that have left. */
  readonly #gone = new Map<string, number>()
  #generation = 0

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  get generation(): number {
    return this.#generation
  }

  get resources(): readonly ResourceStatus[] {
    return this.#resources
  }

  /** Resources of proxies that could not be built by themselves, the last known of each. */
  get buildProblems(): readonly BuildProblem[] {
    return [...this.#buildProblems.values()]
  }

  /** A push has begun: what it uses, what is wrong, and which keys an earlier version stands in for. */
  begin(generation: number, used: readonly Resource[], issues: readonly (Issue & { readonly resource?: string })[], held: ReadonlySet<string>): void {
    const before = this.#used
    this.#generation = generation
    this.#buildProblems.clear()
    this.#used = new Map(used.map((one) => {
      const key = keyOf(one)
      const known = before.get(key)
      return [key, known?.resource === one ? known : { resource: one, generation }]
    }))
    this.#resources = summarize(this.#used, issues, held, generation)
    this.#wake()
  }

  failed(problem: BuildProblem): void {
    this.#buildProblems.set(`${problem.type} ${problem.name}`, problem)
  }

  connect(node: ProxyNode): ProxyRecord {
    const before = this.proxies.get(node.id)
    if (before !== undefined) this.#forget(before)
    const record = new ProxyRecord(node, this.#clock, () => this.#wake())
    this.proxies.set(node.id, record)
    return record
  }

  /** Over all proxies that ever were. */
  total(type: TypeName, field: 'sent' | 'nacked'): number {
    const now = [...this.proxies.values()].reduce((sum, one) => sum + (one.types.get(type)?.[field] ?? 0), 0)
    return now + (this.#gone.get(`${type} ${field}`) ?? 0)
  }

  /** A proxy that has come back on another stream stays. */
  disconnect(record: ProxyRecord): void {
    if (this.proxies.get(record.node.id) === record) this.#forget(record)
    this.#wake()
  }

  /** How many of the connected proxies run a push, or a later one. */
  rollout(generation = this.#generation): Rollout {
    const all = [...this.proxies.values()]
    return { generation, acked: all.filter((one) => one.generation >= generation).length, total: all.length }
  }

  /** Resolves when every connected proxy runs the push, or when the time is over; the answer says which. */
  waitFor(generation: number, timeoutMs: number): Promise<Rollout & { readonly complete: boolean }> {
    return new Promise((resolve) => {
      const check = () => {
        const rollout = this.rollout(generation)
        const complete = this.#generation >= generation && rollout.acked === rollout.total
        if (complete) finish(complete)
      }
      const finish = (complete: boolean) => {
        cancel()
        this.#waiters.delete(check)
        resolve({ ...this.rollout(generation), complete })
      }
      const cancel = this.#clock.after(timeoutMs, () => finish(false))
      this.#waiters.add(check)
      check()
    })
  }

  #forget(record: ProxyRecord): void {
    this.proxies.delete(record.node.id)
    for (const [type, { sent, nacked }] of record.types) {
      for (const [field, count] of Object.entries({ sent, nacked })) {
        this.#gone.set(`${type} ${field}`, (this.#gone.get(`${type} ${field}`) ?? 0) + count)
      }
    }
  }

  #wake(): void {
    for (const check of this.#waiters) check()
  }
}

/** `spec.http[0]: message (file:line)`. */
function sentence(issue: Issue): string {
  const path = issue.path.length === 0 ? '' : `${formatPath(issue.path)}: `
  return `${path}${issue.message} (${issue.origin.file}:${issue.origin.line})`
}

function summarize(
  used: ReadonlyMap<string, { readonly resource: Resource; readonly generation: number }>,
  issues: readonly (Issue & { readonly resource?: string })[],
  held: ReadonlySet<string>,
  generation: number,
): readonly ResourceStatus[] {
  // Issues of whole files belong to no resource.
  const byKey = Map.groupBy(issues.filter((one) => (one.resource ?? '') !== ''), (one) => one.resource!)
  const keys = [...new Set([...used.keys(), ...byKey.keys()])].sort()
  return keys.map((key) => {
    const own = byKey.get(key) ?? []
    const errors = own.filter((one) => one.severity === 'error')
    const inUse = used.get(key)
    return {
      key,
      state: inUse === undefined ? 'rejected' : held.has(key) || errors.length > 0 ? 'held' : 'valid',
      origin: errors[0]?.origin ?? inUse?.resource.origin ?? own[0]!.origin,
      errors: errors.map(sentence),
      warnings: own.filter((one) => one.severity === 'warning').map(sentence),
      earlier: held.has(key),
      generation: inUse?.generation ?? generation,
    }
  })
}
