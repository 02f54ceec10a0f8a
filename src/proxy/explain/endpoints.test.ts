// Which endpoints of a cluster a request may come to, and why not to the others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { xxHash64 } from '../../lib/xxhash64.ts'
import { ClusterSchema, Cluster_LbPolicy as Policy } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { HealthStatus } from '../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { explainEndpoints, startingCluster } from './endpoints.ts'
import type { KnownCluster } from './endpoints.ts'

type Groups = NonNullable<MessageInitShape<typeof ClusterLoadAssignmentSchema>['endpoints']>

const endpoint = (host: string, healthStatus: HealthStatus = HealthStatus.HEALTHY) => ({
  healthStatus, hostIdentifier: { case: 'endpoint' as const, value: { address: { address: { case: 'socketAddress' as const, value: { address: host, portSpecifier: { case: 'portValue' as const, value: 80 } } } } } },
})
const group = (priority: number, zone: string, ...lbEndpoints: ReturnType<typeof endpoint>[]) => ({ priority, locality: { region: 'eu', zone }, lbEndpoints })
const cluster = (over: MessageInitShape<typeof ClusterSchema> = {}) => create(ClusterSchema, { name: 'c', ...over })
const start = (message = cluster(), ...endpoints: Groups) => startingCluster(message, create(ClusterLoadAssignmentSchema, { clusterName: 'c', endpoints }))
const told = (known: KnownCluster, message = cluster(), key?: string) =>
  explainEndpoints(message, known, key === undefined ? undefined : xxHash64(key)).endpoints.map(({ address, whyNot }) => [address, whyNot])

test('endpoints that drain or are unhealthy are left out, in their own words', () => {
  const known = start(cluster(), group(0, 'a', endpoint('10.0.0.1'), endpoint('10.0.0.2'), endpoint('10.0.0.3', HealthStatus.DRAINING), endpoint('10.0.0.4', HealthStatus.UNHEALTHY)))
  assert.deepEqual(told(known), [
    ['10.0.0.1:80', null], ['10.0.0.2:80', null], ['10.0.0.3:80', 'is draining: it finishes what it has'], ['10.0.0.4:80', 'is unhealthy, as the control plane says'],
  ])
})

test('other localities wait for the first to fail, and take over what it cannot carry', () => {
  const healthy = start(cluster(), group(0, 'a', endpoint('10.0.0.1')), group(1, 'b', endpoint('10.0.1.1')))
  assert.deepEqual(told(healthy), [['10.0.0.1:80', null], ['10.0.1.1:80', 'has priority 1, for when others fail: priority 0 takes all requests']])
  const half = start(cluster(), group(0, 'a', endpoint('10.0.0.1'), endpoint('10.0.0.2', HealthStatus.UNHEALTHY)), group(1, 'b', endpoint('10.0.1.1')))
  const { endpoints } = explainEndpoints(cluster(), half, undefined)
  assert.deepEqual(endpoints.map(({ locality, priority, priorityPercent, whyNot }) => [locality, priority, priorityPercent, whyNot === null]), [['eu/a', 0, 70, true], ['eu/a', 0, 70, false], ['eu/b', 1, 30, true]])
})

test('in a panic health is not believed, and nothing is left out for it', () => {
  const sick = start(cluster(), group(0, 'a', endpoint('10.0.0.1', HealthStatus.UNHEALTHY), endpoint('10.0.0.2', HealthStatus.UNHEALTHY)))
  assert.deepEqual(told(sick).map(([, whyNot]) => whyNot), [null, null])
  const strict = cluster({ commonLbConfig: { healthyPanicThreshold: { value: 0 } } })
  assert.deepEqual(told(sick, strict).map(([, whyNot]) => whyNot), Array(2).fill('is unhealthy, as the control plane says'))
})

test('a hash falls on one endpoint, the same every time, and the others say on which', () => {
  for (const lbPolicy of [Policy.RING_HASH, Policy.MAGLEV]) {
    const message = cluster({ lbPolicy })
    const known = start(message, group(0, 'a', endpoint('10.0.0.1'), endpoint('10.0.0.2'), endpoint('10.0.0.3')))
    const { chosen } = explainEndpoints(message, known, xxHash64('anna'))
    assert.equal(known.choose(xxHash64('anna'))?.name, chosen)
    const others = told(known, message, 'anna').filter(([address]) => address !== chosen)
    assert.deepEqual(others.map(([, whyNot]) => whyNot), Array(2).fill(`the hash of the request falls on ${chosen}`))
    const all = new Set(Array.from({ length: 50 }, (_, i) => explainEndpoints(message, known, xxHash64(`user ${i}`)).chosen))
    assert.equal(all.size, 3)
  }
  const roundRobin = start(cluster(), group(0, 'a', endpoint('10.0.0.1'), endpoint('10.0.0.2')))
  assert.equal(explainEndpoints(cluster(), roundRobin, xxHash64('anna')).chosen, null)
})

test('what a running proxy has learned by itself counts', () => {
  const { hosts }: KnownCluster = start(cluster(), group(0, 'a', endpoint('10.0.0.1'), endpoint('10.0.0.2'), endpoint('10.0.0.3')))
  const learned = hosts.map((host, index) => ({ ...host, name: host.name, priority: 0, health: host.health, onResult: () => {}, ...(index === 1 ? { ejection: '5 errors in a row' } : index === 2 ? { suspect: true } : {}) }))
  assert.deepEqual(told({ hosts: learned, choose: () => undefined }), [
    ['10.0.0.1:80', null], ['10.0.0.2:80', 'is ejected by outlier detection: 5 errors in a row'], ['10.0.0.3:80', 'could not be connected to a moment ago'],
  ])
})
