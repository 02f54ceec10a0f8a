// The table of limits in docs/security.md says what the code has.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { proxySettingsTable } from '../src/proxy/settings.ts'

const root = resolve(import.meta.dirname, '..')
const [, table = ''] = /\n## Limits\n([\s\S]*?)(\n## |$)/.exec(readFileSync(join(root, 'docs/security.md'), 'utf8')) ?? []
const rows = [...table.matchAll(/^\| (?:proxy|control plane|both) \| ([^|]+) \| (\d+)[^|]* \| ([^|]+) \|$/gm)].map(([, what = '', limit = '', where = '']) => ({ what, limit: Number(limit), where }))

/** `const maxNames = 50_000`, `maxConnections: 10_000,`: products of numbers are worked out. */
function constantIn(file: string, name: string): number | undefined {
  const source = readFileSync(join(root, file), 'utf8')
  const found = new RegExp(`\\b${name}\\s*[:=]\\s*([\\d_]+(?:\\s*\\*\\s*[\\d_]+)*)`).exec(source)?.[1]
  return found?.split('*').reduce((product, factor) => product * Number(factor.trim().replaceAll('_', '')), 1)
}

function limitAt(where: string): unknown {
  const option = /^`--([a-z-]+)`$/.exec(where)?.[1]
  if (option !== undefined) return new Map<string, { readonly initial: unknown }>(Object.entries(proxySettingsTable)).get(option.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()))?.initial
  const [, name = '', file = ''] = /^`(\w+)` in `([^`]+)`$/.exec(where) ?? []
  return constantIn(file, name)
}

test('there are limits in the table', () => assert.ok(rows.length > 12, String(rows.length)))

for (const { what, limit, where } of rows) {
  test(`the limit of ${what} is as documented`, () => assert.equal(limitAt(where), limit, where))
}
