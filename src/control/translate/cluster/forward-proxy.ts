// Upstreams that are looked up by name when a request, or a ClientHello, names them: the type of their clusters, and the filters by
// which Envoy waits for the answer before it goes on. All of a proxy's share one cache, which Envoy knows by name.
import type { Init } from '../any.ts'
import { packed } from '../any.ts'
import { Cluster_DnsLookupFamily } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterConfigSchema } from '../../../proto/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import type { DnsCacheConfigSchema } from '../../../proto/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.ts'
import { FilterConfigSchema as ServerNameFilterSchema } from '../../../proto/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts'
import { FilterConfigSchema } from '../../../proto/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts'

const cache: Init<typeof DnsCacheConfigSchema> = { name: 'dynamic-dns', dnsLookupFamily: Cluster_DnsLookupFamily.V4_ONLY }

/** Without TLS there is no server name to verify, which Envoy asks to be told. */
export const forwardProxy = {
  name: 'envoy.clusters.dynamic_forward_proxy',
  typedConfig: packed(ClusterConfigSchema, { allowInsecureClusterOptions: true, clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: cache } }),
}

export const forwardProxyFilter = {
  name: 'envoy.filters.http.dynamic_forward_proxy',
  configType: { case: 'typedConfig' as const, value: packed(FilterConfigSchema, { implementationSpecifier: { case: 'dnsCacheConfig', value: cache } }) },
}

/** The same for TLS that is not ended here: its server name is the host, whose port has to be said. */
export const serverNameFilter = (port: number) => ({
  name: 'envoy.filters.network.sni_dynamic_forward_proxy',
  configType: { case: 'typedConfig' as const, value: packed(ServerNameFilterSchema, { dnsCacheConfig: cache, portSpecifier: { case: 'portValue', value: port } }) },
})
