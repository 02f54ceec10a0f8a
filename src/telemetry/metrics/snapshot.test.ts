import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from './registry.ts'
import { mergedMetrics, snapshotOf } from './snapshot.ts'

function counted(requests: number, bytes: readonly number[], maxSeries = 10): Metrics {
  const metrics = new Metrics()
  metrics.counter({ name: 'requests_total', help: 'Requests.', labels: ['code'], maxSeries }).with(['200']).add(requests)
  const sizes = metrics.histogram({ name: 'bytes', help: 'Bytes.', labels: [] }, [10, 100]).with([])
  for (const one of bytes) sizes.record(one)
  metrics.gauge({ name: 'build', help: 'Always 1.', labels: [] }).with([]).set(1)
  return metrics
}

test('the metrics of several threads are one text: counters and histograms add up, gauges do not', () => {
  const all = [counted(3, [5, 50]), counted(4, [500])].map((one) => structuredClone(snapshotOf(one)))
  assert.equal(mergedMetrics(all).prometheus(), counted(7, [5, 50, 500]).prometheus())
})

test('a series that one thread alone has is kept, and the limit of series holds for all together', () => {
  const [one, other] = [counted(1, [], 1), new Metrics()]
  other.counter({ name: 'requests_total', help: 'Requests.', labels: ['code'], maxSeries: 1 }).with(['503']).add(2)
  const text = mergedMetrics([snapshotOf(one), snapshotOf(other)]).prometheus()
  assert.match(text, /^requests_total\{code="200"\} 1$/m)
  assert.match(text, /^trysail_metrics_overflow_total\{metric="requests_total"\} 2$/m)
})

test('what found no place in a thread is still counted', () => {
  const metrics = new Metrics()
  const family = metrics.counter({ name: 'a_total', help: 'A.', labels: ['x'], maxSeries: 1 })
  for (const value of ['1', '2', '3']) family.with([value]).add(1)
  assert.match(mergedMetrics([snapshotOf(metrics), snapshotOf(metrics)]).prometheus(), /^trysail_metrics_overflow_total\{metric="a_total"\} 4$/m)
})
