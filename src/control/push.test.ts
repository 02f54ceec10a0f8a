import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../test/support/manual-clock.ts'
import { Debounce } from './push.ts'

function debounced() {
  const clock = manualClock(0)
  const pushes: number[] = []
  const debounce = new Debounce(() => pushes.push(clock.now()), { filesQuietMs: 10, registryQuietMs: 100, ceilingMs: 10_000 }, clock)
  return { clock, pushes, debounce }
}

test('edits of files are joined until they are quiet for 10 ms', () => {
  const { clock, pushes, debounce } = debounced()
  for (let edit = 0; edit < 5; edit++) {
    debounce.changed('files')
    clock.pass(9)
  }
  assert.deepEqual(pushes, [])
  clock.pass(1)
  assert.deepEqual(pushes, [46])
})

test('changes that never end are pushed every 10 s', () => {
  const { clock, pushes, debounce } = debounced()
  for (let at = 0; at < 25_000; at += 50) {
    debounce.changed('registry')
    clock.pass(50)
  }
  assert.deepEqual(pushes, [10_000, 20_000])
})

test('endpoints alone do not wait; with edits pending they go with them', () => {
  const { clock, pushes, debounce } = debounced()
  debounce.changed('endpoints')
  assert.deepEqual(pushes, [0])
  debounce.changed('registry')
  debounce.changed('endpoints')
  clock.pass(100)
  assert.deepEqual(pushes, [0, 100])
})

test('nothing is pushed after close', () => {
  const { clock, pushes, debounce } = debounced()
  debounce.changed('files')
  debounce.close()
  clock.pass(1000)
  assert.deepEqual(pushes, [])
})
