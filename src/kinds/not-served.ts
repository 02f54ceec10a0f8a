// Finds what was written that is valid but not served yet, from the kinds' own rows: nothing is ignored silently.
import type { Finding, NotServed } from './kind.ts'

interface Step {
  readonly next: Map<string, Step>
  readonly rows: NotServed[]
}

export type NotServedCheck = (spec: unknown) => Finding[]

/** `http[].match[].port` as steps: `http`, `[]`, `match`, `[]`, `port`. */
export const stepsOf = (path: string): string[] => path.match(/\[\]|\{\}|[^.[\]{}]+/g) ?? []

export function compileNotServed(rows: readonly NotServed[]): NotServedCheck {
  const root: Step = { next: new Map(), rows: [] }
  for (const row of rows) {
    let at = root
    for (const name of stepsOf(row.path)) {
      let step = at.next.get(name)
      if (step === undefined) at.next.set(name, (step = { next: new Map(), rows: [] }))
      at = step
    }
    at.rows.push(row)
  }
  return (spec) => {
    const findings: Finding[] = []
    collect(root, spec, [], findings)
    return findings
  }
}

function collect(step: Step, value: unknown, path: (string | number)[], findings: Finding[]): void {
  if (isUnset(value)) return
  const row = step.rows.find((one) => concerns(one, value))
  if (row !== undefined) {
    findings.push([path, notServedMessage(row, value)])
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [name, next] of step.next) {
    if (name === '[]') {
      if (Array.isArray(value)) for (const [index, item] of value.entries()) collect(next, item, [...path, index], findings)
    } else if (name === '{}') {
      for (const [key, item] of Object.entries(value)) collect(next, item, [...path, key], findings)
    } else if (Object.hasOwn(value, name)) {
      collect(next, (value as Record<string, unknown>)[name], [...path, name], findings)
    }
  }
}

/** What protobuf takes for unset: such a value asks for nothing. */
const isUnset = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || value === 0 || value === false || (Array.isArray(value) && value.length === 0)

function concerns({ values, texts }: NotServed, value: unknown): boolean {
  if (texts !== undefined) return typeof value === 'string' && texts.fit.test(value)
  if (values === undefined) return true
  const compared = typeof value === 'string' ? value.toUpperCase() : value
  return values.some((one) => (typeof one === 'string' ? one.toUpperCase() : one) === compared)
}

/** `value` is shown where only some values are not served. */
export function notServedMessage(row: NotServed, value: unknown): string {
  const name = stepsOf(row.path).filter((step) => step !== '[]' && step !== '{}').at(-1) ?? row.path
  const subject = row.values === undefined && row.texts === undefined ? name : `${name}: ${String(value)}`
  return `${subject} is not served yet: ${row.instead ?? 'the mesh accepts it and behaves as if it were not there'}`
}
