// Runs a schema over a raw value and says every mistake in words that name the cure.
import type { z } from 'zod'
import type { $ZodIssue } from 'zod/v4/core'
import { nearest } from '../lib/nearest.ts'
import type { FieldPath } from '../model/resource.ts'
import type { Finding } from './kind.ts'
import { unknownField } from './unknown-field.ts'

/** More findings than this in one object help nobody, and a hostile one could have millions. */
const maxFindings = 100

export type Shaped<Value> =
  | { readonly value: Value; readonly findings: readonly [] }
  | { readonly value: undefined; readonly findings: readonly Finding[] }

/** `written` is the value as it stands in the document, where that differs: messages show it. */
export function shape<Value>(schema: z.ZodType<Value>, raw: unknown, written: unknown = raw): Shaped<Value> {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return { value: parsed.data, findings: [] }
  const findings = parsed.error.issues.slice(0, maxFindings).flatMap((issue) => findingsOf(schema, written, issue))
  return { value: undefined, findings: findings.slice(0, maxFindings) }
}

function findingsOf(schema: z.ZodType, raw: unknown, issue: $ZodIssue): Finding[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => [[...path, key], unknownField(schema, path, key)])
  }
  return [[path, messageOf(issue, valueAt(raw, path))]]
}

function messageOf(issue: $ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeMessage(issue.expected, value)
    case 'invalid_value':
      return choiceMessage(issue.values.map(String), value)
    case 'invalid_format':
      return `must be ${issue.format}, not ${shown(value)}`
    case 'too_small':
      return written(issue.message) ?? `must ${sizeVerb(issue.origin)} at least ${issue.minimum}, not ${sizeOf(value)}`
    case 'too_big':
      return written(issue.message) ?? `must ${sizeVerb(issue.origin)} at most ${issue.maximum}, not ${sizeOf(value)}`
    default:
      return issue.message
  }
}

/** A message of ours, not one of zod's own. */
const written = (message: string): string | undefined => (/^(Too (small|big)|Invalid)/.test(message) ? undefined : message)

const sizeVerb = (origin: string): string => (origin === 'array' || origin === 'string' ? 'have a length of' : 'be')

const sizeOf = (value: unknown): string =>
  typeof value === 'string' || Array.isArray(value) ? String(value.length) : shown(value)

const nouns: Readonly<Record<string, string>> = {
  string: 'a string', number: 'a number', int: 'a whole number', boolean: 'true or false', array: 'a list', object: 'an object', record: 'a map',
}

function typeMessage(expected: string, value: unknown): string {
  if (value === undefined) return 'is required'
  if (value === null) return 'is empty: give it a value or remove the line'
  const noun = nouns[expected] ?? expected
  const quotes = expected === 'string' && ['number', 'boolean'].includes(typeof value) ? ': write it in quotes' : ''
  const bare = expected === 'number' && typeof value === 'string' && Number.isFinite(Number(value)) ? ': write it without quotes' : ''
  return `must be ${noun}, not ${shown(value)}${quotes}${bare}`
}

function choiceMessage(values: readonly string[], value: unknown): string {
  const near = typeof value === 'string' ? nearest(value, values) : undefined
  const cure = near === undefined ? '' : `; did you mean ${near}?`
  return `must be ${values.length === 1 ? values[0] : `one of ${values.join(', ')}`}, not ${shown(value)}${cure}`
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function valueAt(raw: unknown, path: FieldPath): unknown {
  let at = raw
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string | number, unknown>)[step]
  }
  return at
}
