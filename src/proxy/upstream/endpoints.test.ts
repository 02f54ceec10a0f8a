import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { HealthStatus } from '../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { decodeEndpoints } from './endpoints.ts'

const at = (address: string, port: number) =>
  ({ hostIdentifier: { case: 'endpoint' as const, value: { address: { address: { case: 'socketAddress' as const, value: { address, portSpecifier: { case: 'portValue' as const, value: port } } } } } } })

test('address, weight, priority, locality, workload and the labels of the transport socket are read', () => {
  const [found] = decodeEndpoints(create(ClusterLoadAssignmentSchema, {
    clusterName: 'c',
    endpoints: [{
      priority: 2, locality: { region: 'r', zone: 'z', subZone: 's' }, loadBalancingWeight: 9,
      lbEndpoints: [{
        ...at('10.0.0.1', 9080), loadBalancingWeight: 7,
        metadata: { filterMetadata: { istio: { workload: 'reviews-v1;default;reviews;v1;Kubernetes' }, 'envoy.transport_socket_match': { tlsMode: 'istio' } } },
      }],
    }],
  }))
  const address = { host: '10.0.0.1', port: 9080 }
  assert.deepEqual(found, {
    address, connectTo: address, name: '10.0.0.1:9080', weight: 7, health: 'healthy', priority: 2, locality: 'r/z/s', localityWeight: 9,
    workload: 'reviews-v1;default;reviews;v1;Kubernetes', socketLabels: { tlsMode: 'istio' },
  })
})

test('IPv6 addresses and pipes have names of their own kind', () => {
  const found = decodeEndpoints(create(ClusterLoadAssignmentSchema, {
    endpoints: [{ lbEndpoints: [at('::1', 80), { hostIdentifier: { case: 'endpoint', value: { address: { address: { case: 'pipe', value: { path: '/run/app.sock' } } } } } }] }],
  }))
  assert.deepEqual(found.map(({ name, address }) => [name, address]), [
    ['[::1]:80', { host: '::1', port: 80 }],
    ['/run/app.sock', { host: 'unix:///run/app.sock', port: 0 }],
  ])
})

test('further addresses of an endpoint are read, and one that is none is refused', () => {
  const value = { ...at('10.0.0.1', 80).hostIdentifier.value, additionalAddresses: [at('fd00::1', 80).hostIdentifier.value] }
  const of = (endpoint: object) => create(ClusterLoadAssignmentSchema, { clusterName: 'c', endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: endpoint } }] }] })
  assert.deepEqual(decodeEndpoints(of(value)).map(({ name, further }) => [name, further]), [['10.0.0.1:80', [{ host: 'fd00::1', port: 80 }]]])
  assert.throws(() => decodeEndpoints(of({ ...value, additionalAddresses: [{}] })), /neither a socket nor a pipe/)
})

test('an address that is listed twice counts once', () => {
  const assignment = create(ClusterLoadAssignmentSchema, {
    endpoints: [{ lbEndpoints: [{ ...at('10.0.0.1', 80), loadBalancingWeight: 2 }, at('10.0.0.1', 80)] }, { priority: 1, lbEndpoints: [at('10.0.0.1', 80)] }],
  })
  assert.deepEqual(decodeEndpoints(assignment).map(({ weight, priority }) => [weight, priority]), [[2, 0]])
})

const healths: [keyof typeof HealthStatus, string][] = [
  ['UNKNOWN', 'healthy'], ['HEALTHY', 'healthy'], ['DEGRADED', 'healthy'],
  ['UNHEALTHY', 'unhealthy'], ['TIMEOUT', 'unhealthy'], ['DRAINING', 'draining'],
]
for (const [name, health] of healths) {
  test(`health status ${name} is ${health}`, () => {
    const assignment = create(ClusterLoadAssignmentSchema, { endpoints: [{ lbEndpoints: [{ ...at('10.0.0.1', 80), healthStatus: HealthStatus[name] }] }] })
    assert.equal(decodeEndpoints(assignment)[0]!.health, health)
  })
}

test('an endpoint whose address cannot be read is refused by the name of its cluster', () => {
  const of = (value: object) => create(ClusterLoadAssignmentSchema, { clusterName: 'c', endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value } }] }] })
  assert.throws(() => decodeEndpoints(of({})), /c: an endpoint whose address is neither a socket nor a pipe/)
  assert.throws(() => decodeEndpoints(of({ address: { address: { case: 'socketAddress', value: { address: '10.0.0.1', portSpecifier: { case: 'namedPort', value: 'http' } } } } })), /neither a socket nor a pipe/)
})
