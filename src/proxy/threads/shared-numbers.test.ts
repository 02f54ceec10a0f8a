import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { Breakers, defaultBreakerLimits } from '../upstream/breakers.ts'
import { OutlierDetector } from '../upstream/outlier/detector.ts'
import { OutlierFollower } from '../upstream/outlier/follower.ts'
import type { OutlierMonitor } from '../upstream/outlier/monitor.ts'
import type { OutlierSettings } from '../upstream/outlier/settings.ts'
import { ClusterStats } from '../upstream/stats.ts'
import { FollowedNumbers } from './followed-numbers.ts'
import type { FromThread, ToThread } from './link.ts'
import { NamedRows } from './named-rows.ts'
import { SharedNumbers } from './shared-numbers.ts'

const settings: OutlierSettings = {
  triggers: {
    consecutive_5xx: { count: 5, enforced: 100 },
    consecutive_gateway_failure: { count: 5, enforced: 0 },
    consecutive_local_origin_failure: { count: 5, enforced: 100 },
  },
  splitsLocal: false, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionMs: 300_000, maxEjectionPercent: 50,
}

/** A first thread and another one; what they say crosses as it does between threads. `say` holds back what the other one says. */
function twoThreads() {
  const first = new SharedNumbers(2)
  const said: FromThread[] = []
  const other = new FollowedNumbers(1, (message) => void said.push(structuredClone(message)))
  const give = (message: ToThread): void => {
    const copy = structuredClone(message)
    if (copy.kind === 'memory' || copy.kind === 'breaker-rows' || copy.kind === 'outlier-rows' || copy.kind === 'ejected') other.take(copy)
  }
  const deliver = (): void => {
    for (const message of said.splice(0)) if (message.kind === 'outlier-row' || message.kind === 'outlier') first.take(message)
  }
  for (const message of first.all()) give(message)
  first.tell = give
  return { first, other, deliver, said }
}

function detection(threads = twoThreads()) {
  const { first, other } = threads
  const clock = manualClock()
  const stats = new ClusterStats()
  const readmitted: string[] = []
  const onChange = (hosts: readonly OutlierMonitor[]): void => void readmitted.push(...hosts.map(({ host }) => host))
  const judge = new OutlierDetector({ settings, stats, clock, random: () => 0, hostCount: () => 4, onChange: () => {}, sharing: first.outliers('c') })
  const follower = new OutlierFollower({ settings, onChange }, other.outliers('c'))
  const monitors = ['a', 'b', 'c', 'd'].map((host) => [judge.watch(host), follower.watch(host)] as const)
  judge.start()
  follower.start()
  return { ...threads, clock, stats, judge, follower, readmitted, monitors }
}

const fail = (monitor: OutlierMonitor, count: number): void => {
  for (let i = 0; i < count; i++) monitor.onStatus(500)
}

test('failures count together whichever thread sees them, one of them judges, and both leave the host out', () => {
  const { monitors: [[judged, followed] = assert.fail()], deliver, stats, clock, readmitted } = detection()
  fail(followed, 2)
  deliver()
  fail(judged, 2)
  assert.deepEqual([judged.ejected, followed.ejected], [false, false])
  fail(followed, 1)
  deliver()
  assert.deepEqual([judged.ejected, followed.ejected], [true, true])
  assert.equal(followed.ejection, 'ejected for 30 s after 5 consecutive 5xx errors')
  assert.equal(stats['outlier_detection.ejections_enforced_total'], 1)
  clock.pass(30_000)
  assert.deepEqual([judged.ejected, followed.ejected, followed.ejection, readmitted], [false, false, undefined, ['a']])
})

test('a success in any thread ends the row of all', () => {
  const { monitors: [[judged, followed] = assert.fail()] } = detection()
  fail(judged, 4)
  followed.onStatus(200)
  fail(judged, 4)
  assert.equal(judged.ejected, false)
  fail(judged, 1)
  assert.deepEqual([judged.ejected, followed.ejected], [true, true])
})

test('a thread that is not heard yet counts for itself and loses nothing', () => {
  const { monitors: [[judged, followed] = assert.fail()], deliver, said } = detection()
  fail(followed, 4)
  assert.deepEqual(said.map(({ kind }) => kind), ['outlier-row'])
  fail(judged, 1)
  assert.equal(judged.ejected, true, 'four of the other thread, which heard of the row at once, and one of this')
  deliver()
  const more = detection().monitors[0]!
  fail(more[1], 5)
  assert.equal(more[0].ejected, false, 'not heard yet')
})

test('no more hosts are left out than the judge allows, by whomever they are reported', () => {
  const { monitors, deliver, stats } = detection()
  for (const [, followed] of monitors) {
    fail(followed, 5)
    deliver()
  }
  assert.deepEqual(monitors.map(([judged, followed]) => [judged.ejected, followed.ejected]), [[true, true], [true, true], [false, false], [false, false]])
  assert.equal(stats['outlier_detection.ejections_overflow'], 2)
})

test('a host that goes, and a cluster that is replaced, are forgotten by all', () => {
  const threads = twoThreads()
  const { monitors: [[judged, followed] = assert.fail(), [, another] = assert.fail()], judge, deliver, follower } = detection(threads)
  fail(judged, 5)
  fail(another, 5)
  deliver()
  assert.equal(another.ejected, true)
  judge.forget(judged)
  assert.equal(followed.ejected, false)
  const next = detection(threads)
  judge.stop()
  follower.stop()
  assert.deepEqual(next.monitors.map(([one, other]) => one.ejected || other.ejected), [false, false, false, false])
  fail(next.monitors[1]![1], 5)
  next.deliver()
  assert.deepEqual([next.monitors[1]![0].ejected, next.monitors[1]![1].ejected], [true, true], 'the one before does not end the next one')
})

test('a thread that begins late is told who is left out', () => {
  const { first, monitors: [[judged] = assert.fail()] } = detection()
  fail(judged, 5)
  const late = new FollowedNumbers(1, () => {})
  for (const message of first.all()) if (message.kind !== 'update') late.take(structuredClone(message) as Parameters<FollowedNumbers['take']>[0])
  const follower = new OutlierFollower({ settings, onChange() {} }, late.outliers('c'))
  const monitor = follower.watch('a')
  follower.start()
  assert.deepEqual([monitor.ejected, monitor.shared], [true, true])
})

test('circuit breakers of all threads are one; what a thread carried that broke is given back', () => {
  const { first, other } = twoThreads()
  const limits = { ...defaultBreakerLimits, maxRequests: 3 }
  const one = new Breakers(limits, Date.now, first.breakers('c'))
  assert.equal(other.breakers('c'), undefined)
  first.keepClusters(new Set(['c']))
  const two = new Breakers(limits, Date.now, other.breakers('c'))
  one.requestBegins()
  two.requestBegins()
  two.requestBegins()
  assert.deepEqual([one.requestsFull, two.requestsFull], [true, true])
  first.threadGone(1)
  assert.deepEqual([one.requestsFull, one.requests, two.requests], [false, 1, 0])
  first.keepClusters(new Set())
  assert.equal(other.breakers('c'), undefined)
})

test('rows are given again in the order in which they came back, and only when nobody counts in them', () => {
  const used = new Set([0])
  const rows = new NamedRows(2, (row) => used.has(row))
  assert.deepEqual([rows.place('a'), rows.place('b'), rows.place('a'), rows.place('c')], [0, 1, 0, -1])
  rows.forget('a')
  assert.deepEqual([rows.find('a'), rows.place('c')], [-1, -1])
  used.clear()
  assert.deepEqual([rows.place('c'), rows.entries()], [0, [['b', 1], ['c', 0]]])
})
