// Which endpoints a client gets, and in what it speaks to them: those that are not ready, those without a sidecar.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { bookinfo, endpoint, resource, service, workload } from '../../../../test/support/bookinfo-world.ts'
import type { Service } from '../../../model/service.ts'
import { HealthStatus } from '../../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import { ClusterSchema } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { createSnapshot } from '../../snapshot.ts'
import { outboundClusters } from '../cluster/outbound.ts'
import { readProxyNode } from '../proxy-node.ts'
import { BuildCache } from '../translator.ts'
import { outboundEndpoints } from './outbound.ts'

interface Host {
  readonly ready?: boolean
  readonly sidecar?: boolean
}

function worldOf(hosts: readonly Host[], policy: object = {}, more: Partial<Service> = {}) {
  const shop = service('shop', more)
  const endpoints = hosts.map(({ ready = true, sidecar = true }, i) =>
    endpoint(shop, workload(`shop-${i}`, `10.0.0.${i + 1}`, { app: 'shop' }), { health: ready ? 'healthy' : 'unhealthy', mutualTls: sidecar }))
  const world = bookinfo(resource('DestinationRule', 'shop', { host: 'shop', trafficPolicy: policy }))
  return createSnapshot({ ...world, services: [...world.services, shop], endpoints })
}

const proxy = readProxyNode({ id: 'sidecar~127.1.0.1~productpage.default~default.svc.cluster.local' })
const name = 'outbound|9080||shop.default.svc.cluster.local'

/** `10.0.0.1`, `10.0.0.2 unhealthy`, `10.0.0.3 plain`. Undefined: nothing is. */
function sent(hosts: readonly Host[], policy?: object, more?: Partial<Service>): readonly string[] | undefined {
  const built = outboundEndpoints.translate(proxy, worldOf(hosts, policy, more), name, new BuildCache())
  if (built === undefined) return undefined
  return fromBinary(ClusterLoadAssignmentSchema, built.bytes).endpoints.flatMap(({ lbEndpoints }) => lbEndpoints.map(({ hostIdentifier, healthStatus, metadata }) => {
    const address = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined
    const mutual = metadata?.filterMetadata['envoy.transport_socket_match']?.['tlsMode'] === 'istio'
    return [address?.case === 'socketAddress' ? address.value.address : '', ...(healthStatus === HealthStatus.UNHEALTHY ? ['unhealthy'] : []), ...(mutual ? [] : ['plain'])].join(' ')
  }))
}

/** What the cluster speaks by itself, and to endpoints that say that they take it. */
function spoken(hosts: readonly Host[], more: Partial<Service>): { readonly always: string; readonly byEndpoint: readonly string[] } {
  const built = outboundClusters.translate(proxy, worldOf(hosts, {}, more), name, new BuildCache())
  const { transportSocket, transportSocketMatches } = fromBinary(ClusterSchema, built!.bytes)
  return { always: transportSocket?.name ?? 'plain', byEndpoint: transportSocketMatches.map((one) => one.name) }
}

test('endpoints that are not ready are sent as unhealthy, so that they count for the priority and get nothing', () => {
  assert.deepEqual(sent([{}, { ready: false }]), ['10.0.0.1', '10.0.0.2 unhealthy'])
  assert.deepEqual(sent([{ ready: false }]), ['10.0.0.1 unhealthy'])
})

test('to who has addresses of both families an endpoint is sent with all of its own', () => {
  const shop = service('shop')
  const endpoints = [endpoint(shop, workload('shop-0', '10.0.0.1', { app: 'shop' }), { furtherAddresses: ['fd00::1'] })]
  const snapshot = createSnapshot({ ...bookinfo(), services: [shop], endpoints })
  const further = (ips: string) => {
    const client = readProxyNode({ id: 'sidecar~127.1.0.1~client.default~default.svc.cluster.local', metadata: { INSTANCE_IPS: ips } })
    const built = fromBinary(ClusterLoadAssignmentSchema, outboundEndpoints.translate(client, snapshot, name, new BuildCache())!.bytes)
    return built.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints.map(({ hostIdentifier: one }) => (one.case === 'endpoint' ? one.value.additionalAddresses.map(({ address }) => address?.address.case === 'socketAddress' && address.address.value.address) : [])))
  }
  assert.deepEqual([further('127.1.0.1'), further('127.1.0.1,fd00::9')], [[[]], [['fd00::1']]])
})

test('with a minHealthPercent, which may choose hosts that are down, they are not sent at all', () => {
  assert.deepEqual(sent([{}, { ready: false }], { outlierDetection: { minHealthPercent: 50 } }), ['10.0.0.1'])
  assert.deepEqual(sent([{}, { ready: false }], { outlierDetection: { minHealthPercent: 0 } }), ['10.0.0.1', '10.0.0.2 unhealthy'])
})

test('without a rule that says so, each endpoint says whether it is spoken to in mutual TLS', () => {
  assert.deepEqual(sent([{}, { sidecar: false }]), ['10.0.0.1', '10.0.0.2 plain'])
  assert.deepEqual(spoken([{}, { sidecar: false }], {}), { always: 'plain', byEndpoint: ['tlsMode-istio', 'tlsMode-disabled'] })
})

test('a headless service goes where its client was going: in mutual TLS when all of its endpoints take it; who knows them tells them apart', () => {
  const headless = { addresses: [], resolution: 'passthrough' } as const
  assert.deepEqual(spoken([{}, {}], headless), { always: 'envoy.transport_sockets.tls', byEndpoint: [] })
  assert.deepEqual(spoken([{}, { sidecar: false }], headless), { always: 'plain', byEndpoint: ['tlsMode-istio', 'tlsMode-disabled'] })
  assert.deepEqual(spoken([{ sidecar: false }], headless), { always: 'plain', byEndpoint: [] })
})

test('the members of a headless service are told to who wants to know them, where any takes mutual TLS', () => {
  const headless = { addresses: [], resolution: 'passthrough' } as const
  assert.deepEqual(sent([{}, { sidecar: false }], {}, headless), ['10.0.0.1', '10.0.0.2 plain'])
  assert.equal(sent([{ sidecar: false }], {}, headless), undefined)
})
