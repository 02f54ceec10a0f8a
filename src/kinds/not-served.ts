// Finds what was written that is not served, from the kinds' own rows: nothing is ignored silently.
import type { Finding, NotServed } from './kind.ts'

/** A place in a spec, some values of it perhaps. */
interface Row {
  readonly path: string
  readonly values?: NotServed['values']
  readonly except?: NotServed['except']
  readonly texts?: NotServed['texts']
  readonly keys?: NotServed['keys']
}

interface Step<Of extends Row> {
  readonly next: Map<string, Step<Of>>
  readonly rows: Of[]
}

export type NotServedCheck = (spec: unknown) => Finding[]

/** `http[].match[].port` as steps: `http`, `[]`, `match`, `[]`, `port`. */
export const stepsOf = (path: string): string[] => path.match(/\[\]|\{\}|[^.[\]{}]+/g) ?? []

/** Of all rows that concern a value, the first one speaks; below it nothing more is said. */
export function compileRows<Of extends Row>(rows: readonly Of[], messageOf: (row: Of, value: unknown) => string): NotServedCheck {
  const root: Step<Of> = { next: new Map(), rows: [] }
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
    collect(root, spec, [], findings, messageOf)
    return findings
  }
}

export const compileNotServed = (rows: readonly NotServed[]): NotServedCheck =>
  compileRows(rows.filter(({ quiet }) => quiet === undefined), notServedMessage)

function collect<Of extends Row>(step: Step<Of>, value: unknown, path: (string | number)[], findings: Finding[], messageOf: (row: Of, value: unknown) => string): void {
  if (isUnset(value)) return
  const row = step.rows.find((one) => concerns(one, value, path.at(-1)))
  if (row !== undefined) {
    findings.push([path, messageOf(row, value)])
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [name, next] of step.next) {
    if (name === '[]') {
      if (Array.isArray(value)) for (const [index, item] of value.entries()) collect(next, item, [...path, index], findings, messageOf)
    } else if (name === '{}') {
      for (const [key, item] of Object.entries(value)) collect(next, item, [...path, key], findings, messageOf)
    } else if (Object.hasOwn(value, name)) {
      collect(next, (value as Record<string, unknown>)[name], [...path, name], findings, messageOf)
    }
  }
}

/** What protobuf takes for unset: such a value asks for nothing. */
const isUnset = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || value === 0 || value === false || (Array.isArray(value) && value.length === 0)

function concerns({ values, except, texts, keys }: Row, value: unknown, key: string | number | undefined): boolean {
  if (keys !== undefined) return typeof key === 'string' && keys.fit.test(key)
  if (texts !== undefined) return typeof value === 'string' && texts.fit.test(value)
  if (except !== undefined) return !except.some((one) => sameValue(one, value))
  return values === undefined || values.some((one) => sameValue(one, value))
}

/** Case does not matter: Kubernetes writes Local, Istio LOCAL. */
const sameValue = (one: unknown, other: unknown): boolean =>
  typeof one === 'string' && typeof other === 'string' ? one.toUpperCase() === other.toUpperCase() : one === other

/** `value` is shown where only some values are not served. */
export function notServedMessage(row: NotServed, value: unknown): string {
  const name = stepsOf(row.path).filter((step) => step !== '[]' && step !== '{}').at(-1) ?? row.path
  const subject = row.keys?.called ?? (row.values === undefined && row.except === undefined && row.texts === undefined ? name : `${name}: ${String(value)}`)
  return `${subject} is not served yet: ${row.instead ?? 'the mesh accepts it and behaves as if it were not there'}`
}
