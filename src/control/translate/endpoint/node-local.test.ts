// Services whose clients use endpoints of their own node only: internalTrafficPolicy: Local.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { bookinfo, endpoint, service, workload } from '../../../../test/support/bookinfo-world.ts'
import { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { createSnapshot } from '../../snapshot.ts'
import { readProxyNode } from '../proxy-node.ts'
import { BuildCache } from '../translator.ts'
import { outboundEndpoints } from './outbound.ts'

const shop = service('shop', { nodeLocal: true })
const onNode = (address: string, node: string) =>
  endpoint(shop, workload(`shop-${address}`, address, { app: 'shop' }, { node }), { labels: { app: 'shop', ...(node !== '' && { 'kubernetes.io/hostname': node }) } })

/** Addresses that a client on a node gets; undefined: nobody knows where it is. */
function addressesFor(node: string, cache = new BuildCache()): readonly string[] {
  const world = bookinfo()
  const client = workload('client', '10.0.0.9', { app: 'client' }, { node })
  const endpoints = [onNode('10.0.0.1', 'n1'), onNode('10.0.0.2', 'n2'), onNode('10.0.0.3', 'n1')]
  const snapshot = createSnapshot({ ...world, services: [...world.services, shop], workloads: [client], endpoints })
  const proxy = readProxyNode({ id: 'sidecar~10.0.0.9~client.default~default.svc.cluster.local' })
  const built = outboundEndpoints.translate(proxy, snapshot, 'outbound|9080||shop.default.svc.cluster.local', cache)
  return fromBinary(ClusterLoadAssignmentSchema, built!.bytes).endpoints.flatMap(({ lbEndpoints }) => lbEndpoints.map(({ hostIdentifier }) => {
    const address = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined
    return address?.case === 'socketAddress' ? address.value.address : ''
  }))
}

test('a client gets the endpoints of its node, and none where there are none', () => {
  assert.deepEqual(addressesFor('n1'), ['10.0.0.1', '10.0.0.3'])
  assert.deepEqual(addressesFor('n2'), ['10.0.0.2'])
  assert.deepEqual(addressesFor('n3'), [])
})

test('clients of different nodes share nothing of it', () => {
  const cache = new BuildCache()
  assert.deepEqual([addressesFor('n1', cache), addressesFor('n2', cache)], [['10.0.0.1', '10.0.0.3'], ['10.0.0.2']])
})
