import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { DeadlineSweep, DeadlineWatch } from './deadlines.ts'
import type { Due, Timed } from './deadlines.ts'

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

interface Limited extends Due {
  at: number
}

function limited(at: number, told: number[]): Limited {
  const one: Limited = {
    listIndex: -1, at, nextDue: () => one.at,
    onTick(now) {
      if (now < one.at) return
      told.push(now)
      one.at = Infinity
    },
  }
  return one
}

test('limits of requests wake nobody before the first of them is reached, however many come and go', async () => {
  const clock = manualClock(0)
  const watch = new DeadlineWatch(clock, 10)
  const told: number[] = []
  const long = limited(15_000, told)
  watch.add(long)
  for (let i = 0; i < 100; i++) {
    const short = limited(15_000 + i, told)
    watch.add(short)
    if (i > 1) watch.delete(short)
  }
  assert.equal(clock.waiting, 1)
  await clock.advance(14_999)
  assert.deepEqual(told, [])
  // The two that are left are 1 ms apart: both are over before 10 ms have passed.
  await clock.advance(11)
  assert.deepEqual(told, [15_000, 15_000, 15_010])
  assert.equal(clock.waiting, 0)
})

test('a limit that comes nearer is noticed in time, one that moves away is waited for', async () => {
  const clock = manualClock(0)
  const watch = new DeadlineWatch(clock, 10)
  const told: number[] = []
  const one = limited(300_000, told)
  watch.add(one)
  one.at = 500
  watch.add(one)
  one.at = 700
  await clock.advance(699)
  assert.deepEqual(told, [])
  await clock.advance(1)
  assert.deepEqual(told, [700])
})

test('a limit that is over when it is told of is noticed with the next look', async () => {
  const clock = manualClock(1_000)
  const watch = new DeadlineWatch(clock, 10)
  const told: number[] = []
  watch.add(limited(900, told))
  assert.deepEqual(told, [])
  await clock.advance(10)
  assert.deepEqual(told, [1_010])
})
