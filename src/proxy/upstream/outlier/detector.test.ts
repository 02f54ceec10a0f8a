import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { manualClock } from '../../../../test/support/manual-clock.ts'
import { ClusterStats } from '../stats.ts'
import { OutlierDetector } from './detector.ts'
import type { OutlierMonitor } from './monitor.ts'
import type { OutlierSettings } from './settings.ts'

const defaults: OutlierSettings = {
  triggers: {
    consecutive_5xx: { count: 5, enforced: 100 },
    consecutive_gateway_failure: { count: 5, enforced: 0 },
    consecutive_local_origin_failure: { count: 5, enforced: 100 },
  },
  splitsLocal: false, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionMs: 300_000, maxEjectionPercent: 100,
}

function detection(hosts: number, over: Partial<OutlierSettings> = {}) {
  const clock = manualClock()
  const stats = new ClusterStats()
  let changes = 0
  const detector = new OutlierDetector({ settings: { ...defaults, ...over }, stats, clock, random: () => 0, hostCount: () => hosts, onChange: () => changes++ })
  const monitors = Array.from({ length: hosts }, (_, at) => detector.watch(`h${at}`)) as [OutlierMonitor, ...OutlierMonitor[]]
  const fail = (monitor: OutlierMonitor, count: number, status = 500) => {
    for (let i = 0; i < count; i++) monitor.onStatus(status)
  }
  return { clock, stats, detector, monitors, fail, changes: () => changes }
}

test('a row of 5xx ejects at its last one, and says why', () => {
  const { monitors: [one, two], fail, stats, changes } = detection(2)
  fail(one, 4)
  assert.equal(one.ejected, false)
  fail(one, 1)
  assert.deepEqual([one.ejected, two!.ejected, changes()], [true, false, 1])
  assert.equal(one.ejection, 'ejected for 30 s after 5 consecutive 5xx errors')
  assert.deepEqual([stats['outlier_detection.ejections_active'], stats['outlier_detection.ejections_enforced_consecutive_5xx']], [1, 1])
})

test('where statuses are named as errors, those count and no others; failures of our own count as ever', () => {
  const { monitors: [one, two], fail } = detection(2, { errorCodes: new Set([429, 503]) })
  fail(one, 50, 500)
  assert.equal(one.ejected, false)
  fail(one, 4, 429)
  fail(one, 1, 500)
  fail(one, 4, 503)
  assert.equal(one.ejected, false)
  fail(one, 1, 429)
  assert.equal(one.ejected, true)
  for (let i = 0; i < 5; i++) two!.onLocalFailure('connection-failure')
  assert.equal(two!.ejected, true)
})

test('a row is broken by anything that is no 5xx', () => {
  const { monitors: [one], fail } = detection(1)
  for (let i = 0; i < 10; i++) {
    fail(one, 4)
    one.onStatus(i % 2 === 0 ? 200 : 404)
  }
  assert.equal(one.ejected, false)
})

test('gateway errors have a row of their own, which a plain 500 breaks', () => {
  const { monitors: [one, two], fail, stats } = detection(2, { triggers: { ...defaults.triggers, consecutive_5xx: { count: 100, enforced: 100 }, consecutive_gateway_failure: { count: 3, enforced: 100 } } })
  fail(one, 2, 503)
  fail(one, 1, 500)
  fail(one, 2, 504)
  assert.equal(one.ejected, false)
  fail(two!, 1, 502)
  fail(two!, 1, 503)
  fail(two!, 1, 504)
  assert.equal(two!.ejected, true)
  assert.equal(stats['outlier_detection.ejections_enforced_consecutive_gateway_failure'], 1)
})

test('an error that is found but not to be enforced ejects nobody', () => {
  const { monitors: [one], fail, stats } = detection(1)
  one.onStatus(200)
  fail(one, 4, 503)
  one.onStatus(200)
  fail(one, 4, 503)
  assert.equal(one.ejected, false)
  const off = detection(1, { triggers: { ...defaults.triggers, consecutive_5xx: { count: 0, enforced: 0 } } })
  off.fail(off.monitors[0], 50)
  assert.equal(off.monitors[0].ejected, false)
  assert.equal(stats['outlier_detection.ejections_enforced_total'], 0)
})

test('failures to reach a host count as 503 and 504, unless they are told apart', () => {
  const together = detection(1).monitors[0]
  for (const reason of ['connection-failure', 'timeout', 'remote-reset', 'connection-termination', 'protocol-error'] as const) together.onLocalFailure(reason)
  assert.equal(together.ejected, true)
  const apart = detection(1, { splitsLocal: true, triggers: { ...defaults.triggers, consecutive_local_origin_failure: { count: 2, enforced: 100 } } })
  const [one] = apart.monitors
  apart.fail(one, 4)
  one.onLocalFailure('connection-failure')
  one.onStream()
  one.onLocalFailure('timeout')
  assert.equal(one.ejected, false, 'a stream in between is a success')
  one.onLocalFailure('connection-failure')
  assert.equal(one.ejected, true)
  assert.equal(apart.stats['outlier_detection.ejections_enforced_consecutive_local_origin_failure'], 1)
})

test('our own limits and our own closing say nothing of a host', () => {
  const [one] = detection(1).monitors
  for (let i = 0; i < 20; i++) one.onLocalFailure(i % 2 === 0 ? 'overflow' : 'local-reset')
  assert.equal(one.ejected, false)
})

test('an opaque connection that stands breaks the row', () => {
  const [one] = detection(1).monitors
  for (let i = 0; i < 4; i++) one.onLocalFailure('connection-failure')
  one.onSession()
  for (let i = 0; i < 4; i++) one.onLocalFailure('connection-failure')
  assert.equal(one.ejected, false)
})

test('three hosts, and at most 10 % of them: never one; with 100 % the first time for 30 s, the second for 60', () => {
  const few = detection(3, { maxEjectionPercent: 10 })
  few.fail(few.monitors[0], 50)
  assert.deepEqual([few.monitors[0].ejected, few.stats['outlier_detection.ejections_overflow']], [false, 10])

  const { monitors: [one], fail, clock } = detection(3)
  fail(one, 5)
  clock.pass(29_999)
  assert.equal(one.ejected, true)
  clock.pass(1)
  assert.equal(one.ejected, false, 'with the sweep that comes at 30 s')
  fail(one, 4)
  assert.equal(one.ejected, false, 'the row begins anew')
  fail(one, 1)
  assert.equal(one.ejection, 'ejected for 60 s after 5 consecutive 5xx errors')
  clock.pass(59_000)
  assert.equal(one.ejected, true)
  clock.pass(1_000)
  assert.equal(one.ejected, false)
})

test('a success while it is ejected changes nothing', () => {
  const { monitors: [one], fail, clock } = detection(2)
  fail(one, 5)
  one.onStatus(200)
  clock.pass(20_000)
  assert.equal(one.ejected, true)
})

test('no ejection is longer than the limit, and good behaviour shortens the next one', () => {
  const { monitors: [one], fail, clock } = detection(1)
  for (let i = 0; i < 20; i++) {
    fail(one, 5)
    clock.pass(300_000)
    assert.equal(one.ejected, false, `after the ${i + 1}th`)
  }
  clock.pass(600_000)
  fail(one, 5)
  assert.equal(one.ejection, 'ejected for 30 s after 5 consecutive 5xx errors')
})

test('no timer runs while there is nothing to let in or to forgive', () => {
  const { monitors: [one], fail, clock } = detection(1)
  assert.equal(clock.waiting, 0)
  fail(one, 5)
  assert.equal(clock.waiting, 1)
  clock.pass(100_000)
  assert.equal(clock.waiting, 0)
})

test('a host that goes while it is ejected makes room for another ejection', () => {
  const { monitors: [one, two], fail, detector, stats } = detection(2, { maxEjectionPercent: 50 })
  fail(one, 5)
  fail(two!, 5)
  assert.deepEqual([two!.ejected, stats['outlier_detection.ejections_active']], [false, 1])
  detector.forget(one)
  assert.equal(stats['outlier_detection.ejections_active'], 0)
  fail(two!, 5)
  assert.equal(two!.ejected, true)
})

test('whatever happens, no more are ejected than allowed, and the gauge says how many are', () => {
  const step = fc.tuple(fc.nat(9), fc.constantFrom(200, 500, 503, 504), fc.nat(4_000))
  fc.assert(fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 100 }), fc.array(step, { maxLength: 400 }), (hosts, maxEjectionPercent, steps) => {
    const { monitors, stats, clock } = detection(hosts, { maxEjectionPercent, triggers: { ...defaults.triggers, consecutive_5xx: { count: 2, enforced: 100 } } })
    for (const [which, status, ms] of steps) {
      monitors[which % hosts]!.onStatus(status)
      clock.pass(ms)
      const ejected = monitors.filter((one) => one.ejected).length
      assert.ok((100 * ejected) / hosts <= maxEjectionPercent)
      assert.equal(stats['outlier_detection.ejections_active'], ejected)
    }
    clock.pass(1_000_000)
    assert.ok(monitors.every((one) => !one.ejected), 'all come back in the end')
  }), { numRuns: 60 })
})
