import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readPrometheus } from '../../../test/support/prometheus-text.ts'
import { Metrics } from './registry.ts'

test('counters, gauges and histograms in the text of Prometheus', () => {
  const metrics = new Metrics()
  metrics.counter({ name: 'requests_total', help: 'Requests.', labels: ['code'] }).with(['200']).add(3)
  metrics.gauge({ name: 'open', help: 'Open.', labels: [] }).with([]).set(2)
  const took = metrics.histogram({ name: 'took', help: 'Time.', labels: ['to'] }, [1, 5]).with(['a'])
  for (const value of [0.5, 1, 4, 9]) took.record(value)
  metrics.counter({ name: 'never', help: 'Nothing yet.', labels: [] })
  assert.equal(metrics.prometheus(), `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200"} 3
# HELP open Open.
# TYPE open gauge
open 2
# HELP took Time.
# TYPE took histogram
took_bucket{to="a",le="1"} 2
took_bucket{to="a",le="5"} 3
took_bucket{to="a",le="+Inf"} 4
took_sum{to="a"} 14.5
took_count{to="a"} 4
`)
  assert.deepEqual(metrics.lines(), [
    { name: 'requests_total.code.200', value: 3 }, { name: 'open', value: 2 },
    { name: 'took.to.a.count', value: 4 }, { name: 'took.to.a.sum', value: 14.5 },
  ])
})

test('equal label values are one series', () => {
  const family = new Metrics().counter({ name: 'a', help: 'A.', labels: ['x', 'y'] })
  assert.equal(family.with(['1', '2']), family.with(['1', '2']))
  assert.notEqual(family.with(['1', '2']), family.with(['2', '1']))
  assert.notEqual(family.with(['1",y="2', '']), family.with(['1', '2']))
})

test('series beyond the limit are counted together and named', () => {
  const metrics = new Metrics()
  const family = metrics.counter({ name: 'a_total', help: 'A.', labels: ['x'], maxSeries: 2 })
  for (const value of ['1', '2', '3', '4', '1']) family.with([value]).add(1)
  const { samples } = readPrometheus(metrics.prometheus())
  assert.deepEqual(samples.filter(({ name }) => name === 'a_total').map(({ labels, value }) => [labels['x'], value]), [['1', 2], ['2', 1]])
  assert.deepEqual(samples.at(-1), { name: 'trysail_metrics_overflow_total', labels: { metric: 'a_total' }, value: 2 })
})

test('any label value survives the text', () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\', '\n', '\\n', '",x="')), { minLength: 1, maxLength: 5 }), (values) => {
    const metrics = new Metrics()
    const family = metrics.counter({ name: 'a', help: 'A.', labels: ['x'] })
    for (const value of values) family.with([value]).add(1)
    assert.deepEqual(new Set(readPrometheus(metrics.prometheus()).samples.map(({ labels }) => labels['x'])), new Set(values))
  }))
})
