import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPrometheus } from '../../../test/support/prometheus-text.ts'
import { ClusterStats, statLines } from '../upstream/stats.ts'
import { defaultStatsMatcher, prometheusOf, withTraffic } from './stats-text.ts'

const name = 'outbound|80||a.default.svc.cluster.local'
const used = Object.assign(new ClusterStats(), { upstream_rq_total: 3, upstream_rq_2xx: 2, upstream_cx_active: 1, membership_total: 1 })
const idle = Object.assign(new ClusterStats(), { membership_total: 5, membership_healthy: 5 })

test("a cluster's counters have Envoy's names in Prometheus, with the cluster as a label", () => {
  const text = prometheusOf(statLines(name, used), { prefixes: ['cluster.outbound'], suffixes: [] })
  const { samples, types } = readPrometheus(text)
  const find = (wanted: string, labels: object = {}) => samples.find((sample) => sample.name === wanted && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
  assert.deepEqual(find('envoy_cluster_upstream_rq_total'), { name: 'envoy_cluster_upstream_rq_total', labels: { cluster_name: name }, value: 3 })
  assert.equal(find('envoy_cluster_upstream_rq', { response_code_class: '2xx', cluster_name: name })?.value, 2)
  assert.equal(types.get('envoy_cluster_upstream_cx_active'), 'gauge')
  assert.equal(types.get('envoy_cluster_membership_total'), 'gauge')
  assert.equal(types.get('envoy_cluster_upstream_rq_total'), 'counter')
  assert.deepEqual(find('envoy_cluster_outlier_detection_ejections_active')?.labels, { cluster_name: name })
  assert.equal(types.get('envoy_cluster_outlier_detection_ejections_active'), 'gauge')
})

test("by default Prometheus gets Istio's short list", () => {
  const lines = [...statLines(name, used), { name: 'listener_manager.downstream_cx_active', value: 4 }, { name: 'cluster.xds-grpc.upstream_cx_total', value: 1 }, { name: 'http.inbound.rbac.allowed', value: 2 }]
  assert.deepEqual(readPrometheus(prometheusOf(lines, defaultStatsMatcher)).samples, [
    { name: 'envoy_listener_manager_downstream_cx_active', labels: {}, value: 4 },
    { name: 'envoy_cluster_upstream_cx_total', labels: { cluster_name: 'xds-grpc' }, value: 1 },
    { name: 'envoy_http_inbound_rbac_allowed', labels: {}, value: 2 },
  ])
})

test('clusters without traffic are left out', () => {
  const lines = withTraffic([...statLines(name, used), ...statLines('outbound|81||b', idle), { name: 'server.live', value: 1 }])
  assert.ok(lines.some((line) => line.name === `cluster.${name}.membership_total`))
  assert.ok(lines.some((line) => line.name === `cluster.${name}.outlier_detection.ejections_active`))
  assert.ok(!lines.some((line) => line.name.startsWith('cluster.outbound|81')))
  assert.equal(lines.at(-1)!.name, 'server.live')
})
