// Looks into a zod schema: which fields an object has, what stands in a list or map. For did-you-mean and for the
// documentation, so that neither keeps a list of fields of its own.
import type { z } from 'zod'
import type { $ZodType } from 'zod/v4/core'

type Schema = z.ZodType | $ZodType

/** The schema behind optional, default and the like. */
export function unwrap(schema: Schema): Schema {
  const { def } = (schema as z.ZodType)._zod
  if ('innerType' in def) return unwrap(def.innerType as Schema)
  return def.type === 'pipe' ? unwrap((def as unknown as { in: Schema }).in) : schema
}

/** The fields of an object; undefined for anything else. */
export function fieldsOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const { def } = (unwrap(schema) as z.ZodObject)._zod
  return def.type === 'object' ? def.shape : undefined
}

/** What a list holds; undefined for anything else. */
export function itemOf(schema: Schema): Schema | undefined {
  const { def } = (unwrap(schema) as z.ZodArray)._zod
  return def.type === 'array' ? def.element : undefined
}

/** What a map holds; undefined for anything else. */
export function valueOf(schema: Schema): Schema | undefined {
  const { def } = (unwrap(schema) as z.ZodRecord)._zod
  return def.type === 'record' ? def.valueType : undefined
}

/** The values of an enumeration; undefined for anything else. */
export function choicesOf(schema: Schema): readonly string[] | undefined {
  const { def } = (unwrap(schema) as z.ZodEnum)._zod
  return def.type === 'enum' ? Object.values(def.entries).map(String) : undefined
}

/** The schema at a path; undefined where the path leaves it. */
export function schemaAt(schema: Schema, path: readonly PropertyKey[]): Schema | undefined {
  let at: Schema | undefined = schema
  for (const step of path) {
    if (at === undefined) return undefined
    at = typeof step === 'number' ? itemOf(at) : fieldsOf(at)?.[String(step)] ?? valueOf(at)
  }
  return at
}

/** The fields of what a field holds, through lists and maps: where a misplaced field may belong. */
export function fieldsInside(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const inner = itemOf(schema) ?? valueOf(schema)
  return inner === undefined ? fieldsOf(schema) : fieldsInside(inner)
}
