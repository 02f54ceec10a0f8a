// The committed document equals what the kinds' own tables make, so it cannot lie; and those tables name fields that exist.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { wholeSchema } from './check.ts'
import { compatibility } from './compatibility.ts'
import { meshConfigNotServed, meshConfigSchema } from './core/mesh-config.ts'
import { stepsOf } from './not-served.ts'
import { choicesOf, fieldsOf, itemOf, valueOf } from './schema.ts'
import { kinds } from './table.ts'

test('docs/compatibility.md is what the kinds say: run npm run compatibility', () => {
  assert.equal(readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8'), compatibility())
})

type Schema = Parameters<typeof fieldsOf>[0]

function schemaOf(schema: Schema, path: string): Schema | undefined {
  return stepsOf(path).reduce<Schema | undefined>((at, step) => {
    if (at === undefined) return undefined
    return step === '[]' ? itemOf(at) : step === '{}' ? valueOf(at) : fieldsOf(at)?.[step]
  }, schema)
}

for (const { title, schema, rows } of [
  ...kinds.map((kind) => ({ title: kind.kind, schema: kind.body === 'spec' ? kind.schema : wholeSchema(kind), rows: [...kind.notServed, ...(kind.neverServed ?? [])] })),
  { title: 'MeshConfig', schema: meshConfigSchema, rows: meshConfigNotServed },
]) {
  test(`every row of ${title} that says what is not served names a field that exists, and values that it can have`, () => {
    const lost = rows.filter(({ path }) => schemaOf(schema, path) === undefined).map(({ path }) => path)
    assert.deepEqual(lost, [])
    const impossible = rows.flatMap((row) => {
      const choices = choicesOf(schemaOf(schema, row.path)!)
      const named = 'values' in row ? row.values ?? [] : []
      return choices === undefined ? [] : named.filter((value) => !choices.includes(String(value))).map((value) => `${row.path}: ${value}`)
    })
    assert.deepEqual(impossible, [])
  })
}
