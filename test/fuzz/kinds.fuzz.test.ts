// Fuzz targets for what operators write: random documents and valid ones that were damaged never throw; they give a
// resource, or issues that each have a place. And parsing many takes time in proportion.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDocuments, parseObject } from '../../src/kinds/parse.ts'
import type { ParsedObject } from '../../src/kinds/parse.ts'
import { fieldsOf, itemOf, valueOf } from '../../src/kinds/schema.ts'
import { wholeSchema } from '../../src/kinds/check.ts'
import { kinds } from '../../src/kinds/table.ts'
import { kindSamples } from '../support/kind-samples.ts'

const origin = { file: 'fuzz.yaml', line: 1, column: 1 }
const root = resolve(import.meta.dirname, '../..')

/** The contract of parsing, for one object. */
function holds(one: ParsedObject): void {
  const errors = one.issues.filter(({ severity }) => severity === 'error')
  if (one.handling === 'read') assert.equal(one.resource === undefined, errors.length > 0, 'a resource, or errors')
  for (const { message, path, origin: at } of one.issues) {
    assert.ok(message.length > 0 && message.length < 4000, message)
    assert.ok(path.every((step) => typeof step === 'string' || typeof step === 'number'))
    assert.ok(at.line >= 1 && at.column >= 1)
  }
}

const odd = fc.constantFrom<unknown>(
  null, '', 0, -1, 1e21, 1.5, true, [], {}, [null], [[]], { exact: '' }, { regex: '(' }, '*', '1s', '-1s', '999999999999h', '10.0.0.0/99', ':', 'a'.repeat(300), '\0', '%', '__proto__',
)
const anything = fc.oneof({ weight: 3, arbitrary: odd }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) })

type Tree = Record<string | number, unknown>

/** All places in a value. */
function placesIn(value: unknown, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [at]
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [at, ...entries.flatMap(([step, inner]) => placesIn(inner, [...at, step as string | number]))]
}

function put(tree: unknown, at: readonly (string | number)[], value: unknown): unknown {
  const [step, ...rest] = at
  if (step === undefined) return value
  const copy = (Array.isArray(tree) ? [...(tree as unknown[])] : { ...(tree as object) }) as Tree
  copy[step] = put(copy[step], rest, value)
  return copy
}

for (const [kind, samples] of Object.entries(kindSamples)) {
  test(`${kind}: damaged documents never throw`, () => {
    fc.assert(fc.property(fc.constantFrom(...samples), fc.array(fc.tuple(fc.nat(), anything), { minLength: 1, maxLength: 4 }), (sample, damages) => {
      const damaged = damages.reduce<unknown>((value, [at, odder]) => {
        const places = placesIn(value)
        return put(value, places[at % places.length]!, odder)
      }, sample)
      holds(parseObject(damaged, () => origin))
    }), { numRuns: 400 })
  })
}

/** A value that a schema may like, with something odd now and then. */
function fitting(schema: Parameters<typeof fieldsOf>[0], depth: number): fc.Arbitrary<unknown> {
  if (depth === 0) return odd
  const fields = fieldsOf(schema)
  const item = itemOf(schema)
  const inMap = valueOf(schema)
  const inner = fields !== undefined ? fc.record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fitting(field, depth - 1)])), { requiredKeys: [] })
    : item !== undefined ? fc.array(fitting(item, depth - 1), { maxLength: 3 })
      : inMap !== undefined ? fc.dictionary(fc.constantFrom('a', 'b', '', ':path', '@request.auth.claims.x', '80'), fitting(inMap, depth - 1), { maxKeys: 3 })
        : fc.constantFrom<unknown>('a', 'example.com', '1s', 80, 1, true, '10.0.0.1', 'HTTP', 'SIMPLE', 'v1')
  return fc.oneof({ weight: 12, arbitrary: inner }, { weight: 1, arbitrary: odd })
}

for (const kind of kinds) {
  test(`${kind.kind}: documents made from its own fields never throw`, () => {
    const version = `${kind.group === '' ? '' : `${kind.group}/`}${kind.versions[0]}`
    const documents = fitting(wholeSchema(kind), 7).map((value) => ({ ...(value as object), apiVersion: version, kind: kind.kind, metadata: { name: 'a' } }))
    fc.assert(fc.property(documents, (document) => holds(parseObject(document, () => origin))), { numRuns: 250 })
  })
}

const piece = fc.constantFrom(
  'apiVersion: v1\n', 'kind: Service\n', 'kind: List\n', 'metadata: { name: a }\n', 'spec:\n', '  http:\n', '  - route: *a\n', '  - &a x: 1\n', '---\n', '...\n', '{', '}', '[', ']', '"', "'", '|\n', '>-\n',
  '\t', '\r\n', '# x\n', '? ', ': ', '- ', '&a ', '*a', '<<: *a\n', '!!binary ', '!x ', '%YAML 1.1\n', '\ufeff', '\0', 'items: [', 'a: 1\n', '  ', '\u2028',
)

test('texts of random pieces of YAML never throw, and every issue has a place in the text', () => {
  fc.assert(fc.property(fc.array(fc.oneof({ weight: 9, arbitrary: piece }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) }), { maxLength: 40 }), (pieces) => {
    const text = pieces.join('')
    const parsed = parseDocuments(text, 'fuzz.yaml')
    parsed.objects.forEach(holds)
    for (const { origin: at } of parsed.issues) assert.ok(at.line <= text.split('\n').length + 1 && at.file === 'fuzz.yaml')
  }), { numRuns: 3000 })
})

test('valid files that were cut or whose bytes were changed never throw', () => {
  const texts = globSync('samples/**/*.yaml', { cwd: root }).map((path) => readFileSync(resolve(root, path), 'utf8'))
  fc.assert(fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(), fc.string({ maxLength: 3 }), (text, from, length, instead) => {
    const at = from % text.length
    const damaged = text.slice(0, at) + instead + text.slice(at + (length % 20))
    parseDocuments(damaged, 'fuzz.yaml').objects.forEach(holds)
  }), { numRuns: 1500 })
})

for (const path of globSync('samples/**/*.yaml', { cwd: root }).sort()) {
  test(`${relative(root, path)} is valid, without a warning`, () => {
    assert.deepEqual(parseDocuments(readFileSync(resolve(root, path), 'utf8'), path).issues.map(({ message }) => message), [])
  })
}

test('the samples of the fuzz targets are valid, and there is one for each kind', () => {
  assert.deepEqual(Object.keys(kindSamples).sort(), kinds.map(({ kind }) => kind).sort())
  for (const sample of Object.values(kindSamples).flat()) {
    const { issues } = parseObject(sample, () => origin)
    assert.deepEqual(issues.filter(({ severity }) => severity === 'error').map(({ message, path }) => `${path.join('.')}: ${message}`), [])
  }
})

test('a thousand documents cost about four times what a quarter of them does', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => JSON.stringify({ ...kindSamples['VirtualService']![0], metadata: { name: `a${i}` } })).join('\n---\n')
  const timeOf = (count: number) => {
    const text = many(count)
    const times = Array.from({ length: 3 }, () => {
      const start = process.cpuUsage()
      assert.equal(parseDocuments(text, 'f').resources.length, count)
      const { user, system } = process.cpuUsage(start)
      return user + system
    })
    return Math.min(...times)
  }
  timeOf(50) // compiles the code
  const ratio = timeOf(1000) / timeOf(250)
  assert.ok(ratio < 12, `1,000 documents took ${ratio.toFixed(1)} times as long as 250: not in proportion (16 would be quadratic)`)
})

test('one document with a thousand rules costs about four times what one with a quarter does', () => {
  const one = (count: number) => ({
    apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'a' },
    spec: { hosts: Array.from({ length: count }, (_, i) => `h${i}.example.com`), http: Array.from({ length: count }, (_, i) => ({ match: [{ uri: { prefix: `/path/${i}/` } }], route: [{ destination: { host: `s${i}` } }] })) },
  })
  const timeOf = (count: number) => {
    const document = one(count)
    return Math.min(...Array.from({ length: 5 }, () => {
      const start = process.cpuUsage()
      assert.deepEqual(parseObject(document, () => origin).issues, [])
      const { user, system } = process.cpuUsage(start)
      return user + system
    }))
  }
  timeOf(100)
  const ratio = timeOf(4000) / timeOf(1000)
  assert.ok(ratio < 12, `4,000 rules took ${ratio.toFixed(1)} times as long as 1,000: not in proportion (16 would be quadratic)`)
})
