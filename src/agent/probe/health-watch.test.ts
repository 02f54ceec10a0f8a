import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { watchHealth } from './health-watch.ts'
import type { Thresholds } from './health-watch.ts'
import type { Problem } from './probe.ts'

function start(over: Partial<Thresholds> = {}) {
  const clock = manualClock()
  const said: (string | undefined)[] = []
  const world = { problem: undefined as Problem, asked: 0, hold: undefined as Promise<void> | undefined }
  const stop = watchHealth({
    initialDelayMs: 0, periodMs: 10_000, successThreshold: 1, failureThreshold: 3, ...over, clock,
    ask: async () => {
      world.asked++
      const { problem } = world
      await world.hold
      return problem
    },
    onChange: (problem) => said.push(problem),
  })
  return { clock, said, world, stop }
}

test('the first question comes after the initial delay, the others each period; well is said once', async () => {
  const { clock, said, world } = start({ initialDelayMs: 5000 })
  await clock.advance(4999)
  assert.equal(world.asked, 0)
  await clock.advance(1)
  await clock.advance(30_000)
  assert.deepEqual([world.asked, said], [4, [undefined]])
})

test('as many failures in a row as the threshold wants make it unwell, and a success between starts the row anew', async () => {
  const { clock, said, world } = start()
  await clock.advance(0)
  world.problem = 'refused'
  await clock.advance(20_000)
  world.problem = undefined
  await clock.advance(10_000)
  world.problem = 'refused'
  await clock.advance(20_000)
  assert.deepEqual(said, [undefined], 'never three in a row')
  await clock.advance(10_000)
  assert.deepEqual(said, [undefined, 'refused'])
  await clock.advance(50_000)
  assert.equal(said.length, 2, 'only transitions are said')
})

test('it is well again after the successes that the threshold wants', async () => {
  const { clock, said, world } = start({ failureThreshold: 1, successThreshold: 3 })
  world.problem = 'refused'
  await clock.advance(0)
  world.problem = undefined
  await clock.advance(20_000)
  assert.deepEqual(said, ['refused'])
  await clock.advance(10_000)
  assert.deepEqual(said, ['refused', undefined])
})

test('an application that is unwell from the start is said to be, after the failures that the threshold wants', async () => {
  const { clock, said, world } = start()
  world.problem = 'refused'
  await clock.advance(10_000)
  assert.deepEqual(said, [])
  await clock.advance(10_000)
  assert.deepEqual(said, ['refused'])
})

test('a question that takes longer than the period is not asked twice at a time; one that was stopped says nothing', async () => {
  const { clock, said, world, stop } = start()
  const { promise, resolve } = Promise.withResolvers<void>()
  world.hold = promise
  await clock.advance(60_000)
  assert.equal(world.asked, 1)
  stop()
  resolve()
  await clock.advance(60_000)
  assert.deepEqual([world.asked, said, clock.waiting], [1, [], 0])
})
