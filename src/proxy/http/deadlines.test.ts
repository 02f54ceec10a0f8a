import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { DeadlineSweep } from './deadlines.ts'
import type { Timed } from './deadlines.ts'

const member = (onTick: () => void): Timed => ({ listIndex: -1, onTick })

test('every member hears of every tick until it leaves, whoever leaves meanwhile', async () => {
  const clock = manualClock()
  const sweep = new DeadlineSweep(clock, 10)
  const told: string[] = []
  const names = ['a', 'b', 'c', 'd']
  const members = new Map<string, Timed>(names.map((name) => [name, member(() => {
    told.push(name)
    if (name !== 'c' || told.length > names.length) return
    for (const gone of ['a', 'c', 'd']) sweep.delete(members.get(gone)!)
  })]))
  for (const one of members.values()) sweep.add(one)
  sweep.add(members.get('b')!)
  await clock.advance(10)
  // Who left during the tick is not told any more; who stays is.
  assert.deepEqual(new Set(told), new Set(['d', 'c', 'b']))
  told.length = 0
  await clock.advance(20)
  assert.deepEqual(told, ['b', 'b'])
})

test('one who comes during a tick waits for the next one', async () => {
  const clock = manualClock()
  const sweep = new DeadlineSweep(clock, 10)
  const told: string[] = []
  const late = member(() => told.push('late'))
  sweep.add(member(() => {
    told.push('first')
    sweep.add(late)
  }))
  await clock.advance(10)
  assert.deepEqual(told, ['first'])
  await clock.advance(10)
  assert.deepEqual(told.toSorted(), ['first', 'first', 'late'])
})

test('an empty list keeps no timer', async () => {
  const clock = manualClock()
  const sweep = new DeadlineSweep(clock, 10)
  const one = member(() => {})
  sweep.add(one)
  sweep.delete(one)
  sweep.delete(one)
  await clock.advance(10)
  assert.equal(clock.waiting, 0)
  assert.equal(one.listIndex, -1)
})
