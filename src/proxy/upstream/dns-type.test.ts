import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { ClusterSchema } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { DnsLookupFamily } from '../../proto/gen/envoy/extensions/clusters/common/dns/v3/dns_pb.ts'
import { DnsClusterSchema } from '../../proto/gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb.ts'
import { decodeCluster } from './cluster-config.ts'

const cluster = (init: MessageInitShape<typeof DnsClusterSchema>, endpoints = 1) => {
  const lbEndpoint = (at: number) => ({ hostIdentifier: { case: 'endpoint' as const, value: { address: { address: { case: 'socketAddress' as const, value: { address: 'web.test', portSpecifier: { case: 'portValue' as const, value: 80 + at } } } } } } })
  return create(ClusterSchema, {
    name: 'c', loadAssignment: { clusterName: 'c', endpoints: [{ lbEndpoints: Array.from({ length: endpoints }, (_, at) => lbEndpoint(at)) }] },
    clusterDiscoveryType: { case: 'clusterType', value: { name: 'envoy.clusters.dns', typedConfig: anyPack(DnsClusterSchema, create(DnsClusterSchema, init)) } },
  })
}

test('a cluster of names makes a host of every address, or of them all together', () => {
  assert.equal(decodeCluster(cluster({})).discovery, 'strict-dns')
  assert.equal(decodeCluster(cluster({ allAddressesInSingleEndpoint: true })).discovery, 'logical-dns')
  assert.throws(() => decodeCluster(cluster({ allAddressesInSingleEndpoint: true }, 2)), /LOGICAL_DNS with 2 endpoints/)
})

test('its settings, and those that it leaves out as in Envoy', () => {
  assert.deepEqual(decodeCluster(cluster({})).dns, { refreshMs: 5_000, respectsTtl: false, family: 'v6-first' })
  const said = { dnsRefreshRate: { seconds: 60n }, respectDnsTtl: true, dnsLookupFamily: DnsLookupFamily.V4_ONLY }
  assert.deepEqual(decodeCluster(cluster(said)).dns, { refreshMs: 60_000, respectsTtl: true, family: 'v4' })
  const families = (['AUTO', 'V6_ONLY', 'V4_PREFERRED', 'ALL'] as const).map((name) => decodeCluster(cluster({ dnsLookupFamily: DnsLookupFamily[name] })).dns.family)
  assert.deepEqual(families, ['v6-first', 'v6', 'v4-first', 'all'])
})
