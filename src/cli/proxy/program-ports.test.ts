import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ClusterSchema } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { addressOf } from '../../control/translate/endpoint/assignment.ts'
import { programPorts } from './program-ports.ts'

const cluster = (name: string, host?: string, port = 0) => create(ClusterSchema, {
  name,
  ...(host !== undefined && { loadAssignment: { endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: addressOf(host, port) } } }] }] } }),
})
const proxyWith = (...clusters: readonly ReturnType<typeof cluster>[]) => ({ planner: { clusters: { accepted: new Map(clusters.map((one) => [one.name, one])) } } })
const none = { inbound: [], outbound: [], gateway: new Map<number, never>() }

test('where the kernel captures, the application is behind the inbound clusters, wherever they lead', () => {
  const proxy = proxyWith(cluster('inbound|8080||', '10.0.0.7', 8080), cluster('inbound|9090||', '127.0.0.1', 9091), cluster('inbound|7070||'), cluster('inbound|6060||', 'unix:///run/app', 0), cluster('InboundPassthroughCluster'), cluster('outbound|80||a.default.svc.cluster.local', '10.0.0.8', 80))
  assert.deepEqual(programPorts({ ...none, netfilter: { mark: 0 } }, '10.0.0.7', proxy), [{ host: '10.0.0.7', port: 8080 }, { host: '127.0.0.1', port: 9091 }, { host: '10.0.0.7', port: 7070 }])
  assert.deepEqual(programPorts({ ...none, netfilter: { mark: 0 } }, '10.0.0.7', undefined), [])
})

test('elsewhere it is where --inbound says; a gateway has none', () => {
  const listen = { host: '10.0.0.7', port: 80 }
  assert.deepEqual(programPorts({ ...none, inbound: [{ option: '', listen, goal: { host: '127.0.0.1', port: 8080 } }] }, '10.0.0.7', undefined), [{ host: '127.0.0.1', port: 8080 }])
  assert.deepEqual(programPorts(none, '10.0.0.7', proxyWith(cluster('inbound|8080||', '10.0.0.7', 8080))), [])
})
