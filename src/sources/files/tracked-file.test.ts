import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothing, parseText } from './load.ts'
import type { Content } from './load.ts'
import { TrackedFile } from './tracked-file.ts'

const settleMs = 50
const service = (name: string): string => `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`
const content = (...names: string[]): Content => parseText(names.map(service).join('---\n'), 'a.yaml', { namespace: 'default' })

/** Names in use, held ones in brackets; `~` while the file is about to lose some. */
function shown(file: TrackedFile): string {
  const { content: { objects }, held, leaving } = file.view()
  const names = objects.flatMap((one) => (one.resource === undefined ? [] : [one.name]))
  return [...(leaving ? ['~'] : []), ...names, ...held.map((one) => `(${one.metadata.name})`)].join(' ')
}

function trackedWith(...names: string[]): TrackedFile {
  const file = new TrackedFile('a.yaml')
  file.offer(content(...names), names.join(), 0)
  return file
}

test('more objects are believed at once, fewer after a moment', () => {
  const file = trackedWith('a')
  assert.equal(file.offer(content('a', 'b'), '2', 10), true)
  assert.equal(shown(file), 'a b')
  assert.equal(file.offer(content('b'), '3', 20), true)
  assert.equal(shown(file), '~ a b')
  assert.equal(file.dueAt(settleMs), 70)
  assert.equal(file.settle(69, settleMs), false)
  assert.equal(file.settle(70, settleMs), true)
  assert.equal(shown(file), 'b')
})

test('objects that come back in time never left', () => {
  const file = trackedWith('a', 'b')
  file.vanished(10)
  assert.equal(shown(file), '~ a b')
  assert.equal(file.offer(nothing, 'a,b', 20), true)
  assert.equal(shown(file), 'a b')
  assert.equal(file.settle(1000, settleMs), false)
})

test('every further change starts the moment anew, but not for ever', () => {
  const file = trackedWith('a', 'b')
  file.offer(content('a'), '1', 0)
  file.offer(content('b'), '2', 40)
  assert.equal(file.dueAt(settleMs), 90)
  for (let at = 80; at < 1000; at += 40) file.offer(content(at % 80 === 0 ? 'a' : 'b'), String(at), at)
  assert.equal(file.dueAt(settleMs), 500)
})

test('a file that is gone for good is empty, and was read anew if it returns', () => {
  const file = trackedWith('a')
  file.signature = 'read'
  file.vanished(0)
  assert.equal(file.signature, '')
  assert.equal(file.isEmpty, false)
  file.settle(50, settleMs)
  assert.equal(file.isEmpty, true)
})

test('a file that cannot be looked at keeps all, and says that it is held', () => {
  const file = trackedWith('a', 'b')
  assert.equal(file.outOfReach(), true)
  assert.equal(file.outOfReach(), false)
  assert.equal(shown(file), '(a) (b)')
  assert.equal(file.offer(nothing, 'a,b', 10), true)
  assert.equal(shown(file), 'a b')
})

test('what is held stays held while its file stays broken, and goes when the file is whole without it', () => {
  const file = trackedWith('a', 'b')
  const broken = (text: string) => parseText(text, 'a.yaml', { namespace: 'default' })
  file.offer(broken(`${service('a')}---\nkind: [`), '1', 0)
  assert.equal(shown(file), 'a (b)')
  file.offer(broken('kind: ['), '2', 10)
  assert.equal(shown(file), '(a) (b)')
  file.offer(broken(service('b').replace('port:', 'prot:')), '3', 20)
  assert.equal(shown(file), '~ (a) (b)')
  file.settle(70, settleMs)
  assert.equal(shown(file), '(b)')
  file.offer(content('c'), '4', 100)
  file.settle(150, settleMs)
  assert.equal(shown(file), 'c')
})

test('a broken object without a name could be any: all that is missing is held', () => {
  const file = trackedWith('a', 'b')
  file.offer(parseText(`${service('a')}---\n${service('b').replace('name: b', 'nmae: b')}`, 'a.yaml', { namespace: 'default' }), '1', 0)
  assert.equal(shown(file), 'a (b)')
})
