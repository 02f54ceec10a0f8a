import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { spreadLoad } from './priority-load.ts'

const levels = (...pairs: [healthy: number, total: number][]) => pairs.map(([healthy, total]) => ({ healthy, total }))
const percents = (panic: number, ...pairs: [healthy: number, total: number][]) => spreadLoad(levels(...pairs), panic).map(({ percent, panics }) => (panics ? -percent : percent))

/** Negative: that level panics. Envoy's own table (docs: load balancing, priority levels) where it has one. */
const cases: [title: string, panic: number, pairs: [number, number][], wanted: number[]][] = [
  ['all healthy', 0, [[4, 4], [4, 4]], [100, 0]],
  ['just enough of the first', 0, [[72, 100], [100, 100]], [100, 0]],
  ['a little less', 0, [[71, 100], [100, 100]], [99, 1]],
  ['half of the first', 0, [[50, 100], [100, 100]], [70, 30]],
  ['a quarter of the first', 0, [[25, 100], [100, 100]], [35, 65]],
  ['none of the first', 0, [[0, 100], [100, 100]], [0, 100]],
  ['a quarter of both: scaled up', 0, [[25, 100], [25, 100]], [50, 50]],
  ['three levels', 0, [[20, 100], [20, 100], [10, 100]], [40, 40, 20]],
  ['nobody, without panic', 0, [[0, 3], [0, 3]], [100, 0]],
  ['nobody, with panic: by number', 50, [[0, 1], [0, 3]], [-25, -75]],
  ['no panic while they add up', 50, [[25, 100], [100, 100]], [35, 65]],
  ['panic of the worse level only', 50, [[10, 100], [60, 100]], [-15, 85]],
  ['an empty first level', 50, [[0, 0], [3, 3]], [0, 100]],
  ['no host at all', 50, [[0, 0]], [-100]],
  ['no level at all', 50, [], []],
]
for (const [title, panic, pairs, wanted] of cases) test(`load of priorities: ${title}`, () => assert.deepEqual(percents(panic, ...pairs), wanted))

test('loads always add up to 100, and no level without a healthy host has any unless it panics', () => {
  const level = fc.integer({ min: 0, max: 20 }).chain((total) => fc.integer({ min: 0, max: total }).map((healthy) => ({ healthy, total })))
  fc.assert(fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 100 }), (found, panic) => {
    const loads = spreadLoad(found, panic)
    assert.equal(loads.reduce((sum, { percent }) => sum + percent, 0), 100)
    const served = loads.every(({ percent, panics }, i) => percent === 0 || panics || found[i]!.healthy > 0)
    assert.ok(served || found.every(({ healthy }) => healthy === 0))
  }))
})
