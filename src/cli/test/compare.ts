// Holds what a test expects against what was observed: an expectation says only what it names, in the words of
// `trysail explain -o json`. Short host names, durations and the case of header names are compared by their meaning.
import { parseDuration } from '../../kinds/fields/duration.ts'
import type { Answer } from '../explain/answer.ts'
import type { Expectation, Expected } from './cases.ts'

/** Whether a name that somebody wrote means a host. */
export type MeansHost = (written: string, host: string) => boolean

/** What a field is compared with. Of a split, `not` means any part of it. */
export function observedFor(field: keyof Expectation, answer: Answer): unknown {
  switch (field) {
    case 'destination': return answer.destinations
    case 'endpoints': return answer.endpoints.filter(({ whyNot }) => whyNot === null)
    case 'denied': return answer.denied !== false && answer.denied !== null
    case 'deniedBy': return answer.denied === false || answer.denied === null ? null : answer.denied.policy
    default: return answer[field]
  }
}

export function holds({ field, value, negated }: Pick<Expected, 'field' | 'value' | 'negated'>, answer: Answer, means: MeansHost): boolean {
  const observed = observedFor(field, answer)
  if (field !== 'destination') return fits(field, value, observed, means) !== negated
  const parts = answer.destinations
  if (negated) return !parts.some((one) => fits(field, value, one, means))
  return parts.length === 1 && fits(field, value, parts[0], means)
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

function fits(name: string, expected: unknown, observed: unknown, means: MeansHost): boolean {
  if (Array.isArray(expected)) return Array.isArray(observed) && (name === 'remove' ? includesAll(expected, observed) : sameItems(name, expected, observed, means))
  if (isFields(expected)) return fieldsFit(name, expected, observed, means)
  if (durations.has(name)) return parseDuration(typeof observed === 'string' ? observed : '0') === expected
  if (expected === '') return observed === null || observed === ''
  if (name === 'host') return means(String(expected), String(observed))
  if (name === 'retryOn') return wordsOf(expected) === wordsOf(observed)
  return expected === observed
}

/** Read from a document as milliseconds, observed as they are written. */
const durations: ReadonlySet<string> = new Set(['timeout', 'perTryTimeout', 'fixedDelay'])

const wordsOf = (list: unknown): string => String(list).split(',').map((one) => one.trim()).sort().join(',')

function fieldsFit(name: string, expected: Fields, observed: unknown, means: MeansHost): boolean {
  if (name === 'set' || name === 'add') return isFields(observed) && headersFit(expected, observed)
  // No retries are as good as none to be made.
  if (observed === null) return name === 'retries' && expected['attempts'] === 0
  return isFields(observed) && Object.entries(expected).every(([key, value]) => value === undefined || fits(key, value, observed[key], means))
}

function headersFit(expected: Fields, observed: Fields): boolean {
  const lower = new Map(Object.entries(observed).map(([name, value]) => [name.toLowerCase(), value]))
  return Object.entries(expected).every(([name, value]) => lower.get(name.toLowerCase()) === value)
}

function includesAll(expected: readonly unknown[], observed: readonly unknown[]): boolean {
  const lower = new Set(observed.map((one) => String(one).toLowerCase()))
  return expected.every((one) => lower.has(String(one).toLowerCase()))
}

/** Each expected one is one observed, whatever the order, and none is left over. */
function sameItems(name: string, expected: readonly unknown[], observed: readonly unknown[], means: MeansHost): boolean {
  if (expected.length !== observed.length) return false
  return paired(expected.map((one) => observed.flatMap((other, index) => (fits(name, one, other, means) ? [index] : []))))
}

/** Whether each can have a partner of its own among its candidates. */
function paired(candidates: readonly (readonly number[])[]): boolean {
  const takenBy = new Map<number, number>()
  const place = (one: number, tried: Set<number>): boolean => (candidates[one] ?? []).some((partner) => {
    if (tried.has(partner)) return false
    tried.add(partner)
    const other = takenBy.get(partner)
    if (other !== undefined && !place(other, tried)) return false
    takenBy.set(partner, one)
    return true
  })
  return candidates.every((_, one) => place(one, new Set()))
}
