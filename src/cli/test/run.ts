// Runs the cases: each asks the client's own proxy, by its compiled matchers, and compares. Nothing is sent. Why a near
// rule was not taken is looked up for failures only, since most cases pass.
import { resolveHost } from '../../control/hosts.ts'
import type { Snapshot } from '../../control/snapshot.ts'
import { describe } from '../../lib/errors.ts'
import type { Origin } from '../../model/resource.ts'
import { answerOf } from '../explain/answer.ts'
import type { Answer } from '../explain/answer.ts'
import { namesOf } from '../explain/destination.ts'
import { MeshExplainer } from '../explain/mesh.ts'
import type { OfflineWorld, Outcome } from '../explain/mesh.ts'
import type { Case, Expected } from './cases.ts'
import { holds, observedFor } from './compare.ts'
import type { MeansHost } from './compare.ts'

export interface Failure {
  /** `destination`, or `not.destination`. */
  readonly field: string
  readonly expected: unknown
  readonly observed: unknown
  readonly origin: Origin
}

export interface Result {
  readonly test: Case
  readonly durationMs: number
  readonly failures: readonly Failure[]
  /** Why nothing could be observed. */
  readonly error: string | undefined
  readonly answer: Answer | undefined
}

export const passed = ({ failures, error }: Result): boolean => failures.length === 0 && error === undefined

/** Something to be told of every request, such as what counts coverage. */
export type Watch = (answer: Answer) => void

export function runCases(world: OfflineWorld, cases: readonly Case[], watch: Watch): readonly Result[] {
  const mesh = new MeshExplainer(world)
  return cases.map((test) => {
    const start = performance.now()
    const result = run(mesh, world.state.snapshot, test, watch)
    return { test, durationMs: performance.now() - start, ...result }
  })
}

type Ran = Omit<Result, 'test' | 'durationMs'>

function run(mesh: MeshExplainer, snapshot: Snapshot, { from, asked, problem, expected }: Case, watch: Watch): Ran {
  if (asked === undefined) return { failures: [], error: problem ?? 'has no request', answer: undefined }
  try {
    const outcome = mesh.explain(from, asked)
    const answer = answerOf(outcome, asked)
    watch(answer)
    const failures = failuresOf(expected, answer, meaning(outcome, snapshot))
    if (failures.length === 0) return { failures, error: undefined, answer }
    return { failures, error: undefined, answer: { ...answer, considered: [...answer.considered, ...mesh.leftOut(asked, outcome)] } }
  } catch (error) {
    return { failures: [], error: describe(error), answer: undefined }
  }
}

function failuresOf(expected: readonly Expected[], answer: Answer, means: MeansHost): readonly Failure[] {
  const failures = expected.filter((one) => !holds(one, answer, means)).map(({ field, value, negated, origin }) => ({
    field: negated ? `not.${field}` : field, expected: value, observed: observedFor(field, answer), origin: origin(),
  }))
  return [...failures, ...neverThere(expected, answer)]
}

const ofDestinations: ReadonlySet<string> = new Set(['destination', 'destinations'])
const ofStatus: ReadonlySet<string> = new Set(['status', 'denied', 'deniedBy'])

/** Who expects a destination and nothing of a status wants the request to come there: a route is not enough. */
function neverThere(expected: readonly Expected[], { status, destinations }: Answer): readonly Failure[] {
  const to = expected.find(({ field, negated }) => !negated && ofDestinations.has(field))
  if (status === null || to === undefined || destinations.length === 0 || expected.some(({ field }) => ofStatus.has(field))) return []
  return [{ field: 'status', expected: null, observed: status, origin: to.origin() }]
}

/** As a VirtualService of the client's namespace would mean it, or as a client there would say it. */
function meaning({ node: { namespace } }: Outcome, { mesh: { domain } }: Snapshot): MeansHost {
  return (written, host) => written === host || resolveHost(written, namespace, domain) === host || namesOf(written, namespace, domain).includes(host)
}
