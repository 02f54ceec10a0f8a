// Golden tests of translation: `case.in.yaml` in, only the resources under test out. UPDATE_GOLDEN=1 writes what comes out.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { JsonValue } from '@bufbuild/protobuf'
import { stringify } from 'yaml'
import { createSnapshot } from '../../src/control/snapshot.ts'
import { builtToJson } from '../../src/control/translate/dump.ts'
import { readProxyNode } from '../../src/control/translate/proxy-node.ts'
import { ProxyResources } from '../../src/control/translate/proxy-resources.ts'
import { BuildCache } from '../../src/control/translate/translator.ts'
import { loadCase } from './load.ts'
import type { GoldenCase } from './load.ts'

const folder = join(import.meta.dirname, 'translate')
const longest = 80

for (const file of readdirSync(folder).filter((name) => name.endsWith('.in.yaml')).sort()) {
  const name = file.slice(0, -'.in.yaml'.length)
  test(`translates ${name.replaceAll('-', ' ')}`, () => {
    const out = join(folder, `${name}.out.yaml`)
    const shown = run(loadCase(readFileSync(join(folder, file), 'utf8')))
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(out, shown)
    assert.ok(existsSync(out), `${out} is missing: look at the case, then run with UPDATE_GOLDEN=1`)
    assert.equal(shown, readFileSync(out, 'utf8'))
    assert.ok(shown.split('\n').length <= longest + 1, `${out} is longer than ${longest} lines: show less`)
  })
}

function run(one: GoldenCase): string {
  const snapshot = createSnapshot(one.world)
  const resources = new ProxyResources(readProxyNode(one.node), new BuildCache(), (problem) => assert.fail(problem.message))
  const shown = one.show.map(({ type, name, path }) => {
    const built = resources.get(type, name, snapshot)
    if (built === undefined) return { [`${type} ${name}`]: null }
    const found = at(builtToJson(type, built), path === undefined ? [] : path.split('.'))
    return { [`${type} ${name}${path === undefined ? '' : ` ${path}`}`]: without(found, new Set(one.omit)) }
  })
  return stringify(shown, { lineWidth: 0 })
}

/** A step is a field, an index, or the name of an item. */
function at(value: JsonValue | undefined, path: readonly string[]): JsonValue {
  const [step, ...rest] = path
  if (step === undefined || value === undefined) return value ?? null
  if (Array.isArray(value)) {
    const item = /^\d+$/.test(step) ? value[Number(step)] : value.find((one) => JSON.stringify(one).includes(`"name":"${step}`))
    return at(item, rest)
  }
  return at((value as Record<string, JsonValue>)[step], rest)
}

function without(value: JsonValue, omit: ReadonlySet<string>): JsonValue {
  if (Array.isArray(value)) return value.map((one) => without(one, omit))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !omit.has(key)).map(([key, one]) => [key, without(one, omit)]))
}
