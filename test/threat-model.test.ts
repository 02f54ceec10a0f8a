// docs/threat-model.md makes promises and names the tests that hold them. A test that is named there must be there, and no
// promise stands without one.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const text = readFileSync(join(root, 'docs/threat-model.md'), 'utf8')
const [, promised = ''] = /\n## Promises\n([\s\S]*?)\n## Not promised\n/.exec(text) ?? []
const promises = promised.split(/\n- /).slice(1).map((one) => one.split(/\n#/)[0]!)

interface Reference {
  readonly file: string
  readonly title: string
}

const referencesOf = (promise: string): readonly Reference[] =>
  [...promise.matchAll(/`([^`]+\.ts)` > "([^"]+)"/g)].map(([, file = '', title = '']) => ({ file, title }))

/** As it stands in the source: templates by their text, quotes as they are escaped there. */
function isThere({ file, title }: Reference): boolean {
  const path = join(root, file)
  if (!existsSync(path)) return false
  const source = readFileSync(path, 'utf8')
  const quoted = [`'${title.replaceAll("'", "\\'")}'`, `"${title}"`, `\`${title}\``]
  return quoted.some((one) => source.includes(`test(${one}`) || source.includes(`title: ${one}`))
}

test('every promise names at least one test', () => {
  assert.ok(promises.length > 20, String(promises.length))
  assert.deepEqual(promises.filter((one) => referencesOf(one).length === 0), [])
})

test('every test that the threat model names is there, under that title', () => {
  const missing = promises.flatMap(referencesOf).filter((one) => !isThere(one)).map(({ file, title }) => `${file} > ${title}`)
  assert.deepEqual(missing, [])
})

test('a reference that is misspelt is not taken for a sentence', () => {
  const quotes = [...promised.matchAll(/\.ts`/g)].length
  assert.equal(promises.flatMap(referencesOf).length, quotes)
})
