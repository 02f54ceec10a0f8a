// What to say about a field that nobody knows: a typing error, another spelling, or the right field at the wrong level.
import type { z } from 'zod'
import { nearest } from '../lib/nearest.ts'
import { formatPath } from '../model/resource.ts'
import type { FieldPath } from '../model/resource.ts'
import { fieldsInside, fieldsOf, schemaAt } from './schema.ts'

/** `at` is the path of the object in which `name` stands. */
export function unknownField(schema: z.ZodType, at: FieldPath, name: string): string {
  const here = schemaAt(schema, at)
  const known = Object.keys((here === undefined ? undefined : fieldsOf(here)) ?? {})
  return `unknown field ${JSON.stringify(name)}${cure(schema, at, name, known)}`
}

function cure(schema: z.ZodType, at: FieldPath, name: string, known: readonly string[]): string {
  const respelled = known.find((field) => bare(field) === bare(name))
  if (respelled !== undefined) return `; did you mean ${respelled}?`
  const place = placeAbove(schema, at, name) ?? placeBelow(schema, at, name, known)
  if (place !== undefined) return `: it is misplaced, it belongs in ${place}`
  const near = nearest(name, known)
  if (near !== undefined) return `; did you mean ${near}?`
  return known.length > 0 && known.length <= 12 ? `; known here: ${known.join(', ')}` : ''
}

/** Without case and separators: `per_try_timeout` and `perTryTimeout` are one. */
const bare = (name: string): string => name.replaceAll(/[-_]/g, '').toLowerCase()

/** The nearest parent that has such a field: the line stands too deep. */
function placeAbove(schema: z.ZodType, at: FieldPath, name: string): string | undefined {
  for (let depth = at.length - 1; depth >= 0; depth--) {
    const parent = schemaAt(schema, at.slice(0, depth))
    if (parent !== undefined && Object.hasOwn(fieldsOf(parent) ?? {}, name)) {
      return depth === 0 ? 'the top level' : formatPath(at.slice(0, depth))
    }
  }
  return undefined
}

/** The field beside it that has such a field: the line lacks a level. */
function placeBelow(schema: z.ZodType, at: FieldPath, name: string, known: readonly string[]): string | undefined {
  for (const beside of known) {
    const child = schemaAt(schema, [...at, beside])
    if (child !== undefined && Object.hasOwn(fieldsInside(child) ?? {}, name)) return formatPath([...at, beside])
  }
  return undefined
}
