// Every file of src/codec is reached by a fuzz target, so that a new decoder does not come without one.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const codec = join(root, 'src/codec')
const sources = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).map((name) => join(folder, name))

/** Types are not run. */
function importsOf(file: string): readonly string[] {
  const found = readFileSync(file, 'utf8').matchAll(/^import (?!type )[^'"]*'(\.[^']+)'/gm)
  return [...found].map(([, path = '']) => join(dirname(file), path))
}

test('every file of src/codec that does something is reached by a fuzz target', () => {
  const targets = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.fuzz.test.ts')).map((name) => join(import.meta.dirname, name))
  const reached = new Set<string>()
  const visit = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const one of importsOf(file)) if (one.startsWith(codec) || one.startsWith(join(root, 'test/support'))) visit(one)
  }
  for (const target of targets) visit(target)
  const runs = sources(codec).filter((file) => /^export (?:function|class|const)/m.test(readFileSync(file, 'utf8')))
  assert.deepEqual(runs.filter((file) => !reached.has(file)).map((file) => relative(root, file)), [])
})
