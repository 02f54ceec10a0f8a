// Fields whose value is null, such as `timeout:` with nothing behind it. Kubernetes takes them for not written, so we do
// too; but never in lists and maps, where the null stands for an entry.
import type { z } from 'zod'
import type { FieldPath } from '../model/resource.ts'
import { fieldsOf, itemOf, valueOf } from './schema.ts'

type Schema = Parameters<typeof fieldsOf>[0]

export interface WithoutNulls {
  /** The same object where there was nothing to leave out. */
  readonly value: unknown
  /** Where the nulls stood. */
  readonly nulls: readonly FieldPath[]
}

export function withoutNulls(schema: z.ZodType, raw: unknown): WithoutNulls {
  const nulls: FieldPath[] = []
  return { value: strip(schema, raw, [], nulls), nulls }
}

function strip(schema: Schema, value: unknown, path: FieldPath, nulls: FieldPath[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  const item = itemOf(schema)
  if (Array.isArray(value)) return item === undefined ? value : stripList(item, value, path, nulls)
  const fields = fieldsOf(schema)
  const inMap = valueOf(schema)
  if (fields === undefined && inMap === undefined) return value
  let copy: Record<string, unknown> | undefined
  for (const [name, inner] of Object.entries(value)) {
    const field = fields === undefined ? inMap : Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined) continue
    const dropped = inner === null && fields !== undefined
    const kept = dropped ? undefined : strip(field, inner, [...path, name], nulls)
    if (kept === inner) continue
    copy ??= { ...value } as Record<string, unknown>
    if (dropped) {
      nulls.push([...path, name])
      delete copy[name]
    } else {
      copy[name] = kept
    }
  }
  return copy ?? value
}

function stripList(item: Schema, list: readonly unknown[], path: FieldPath, nulls: FieldPath[]): unknown {
  const stripped = list.map((one, index) => strip(item, one, [...path, index], nulls))
  return stripped.every((one, index) => one === list[index]) ? list : stripped
}
