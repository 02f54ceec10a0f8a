// Reads a listener's parts: where it binds, its filter chains with their network filters unpacked, and what other
// resources they depend on. Compiling them into something that serves is left to proxy/listen.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { MeshError } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Address as AddressMessage } from '../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { FilterChain, Filter } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { Listener } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { ExtAuthzSchema } from '../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts'
import type { ExtAuthz } from '../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts'
import { HttpConnectionManagerSchema } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpConnectionManager } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema } from '../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import type { RBAC } from '../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { FilterConfigSchema as ServerNameFilterSchema } from '../../proto/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts'
import { TcpProxySchema } from '../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import type { TcpProxy } from '../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { DownstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { DownstreamTlsContext } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { routeClusterNames } from './route.ts'

/** The last filter of a chain, which ends the connection's way through the listener. */
export type TerminalFilter =
  | { readonly kind: 'http'; readonly config: HttpConnectionManager }
  | { readonly kind: 'tcp'; readonly config: TcpProxy; /** Who may connect at all. */ readonly guards: readonly Guard[]; /** The server name of a ClientHello is the host, at this port; 0: it is not. */ readonly namedPort: number }

/** What stands before the bytes. */
export type Guard = { readonly kind: 'rbac'; readonly config: RBAC } | { readonly kind: 'ext-authz'; readonly config: ExtAuthz }

export interface DecodedChain {
  readonly name: string
  readonly message: FilterChain
  readonly tls: DownstreamTlsContext | undefined
  readonly terminal: TerminalFilter
}

/** Where the listener stands, whether or not it binds; `unix:///path` with port 0 for a unix socket. */
export function listenerAddress(listener: Listener): Address {
  const at = socketAddress(listener.address)
  if (at === undefined) throw new MeshError('proxy/bad-config', `listener ${listener.name}: needs a TCP address with a port number, or a unix socket`)
  return at
}

/** All that it stands for: those of another family among them. */
export function listenerAddresses(listener: Listener): readonly Address[] {
  return [listenerAddress(listener), ...listener.additionalAddresses.flatMap(({ address }) => socketAddress(address) ?? [])]
}

function socketAddress(address: AddressMessage | undefined): Address | undefined {
  if (address?.address.case === 'pipe') return { host: `unix://${address.address.value.path}`, port: 0 }
  if (address?.address.case !== 'socketAddress') return undefined
  const { address: host, portSpecifier } = address.address.value
  return portSpecifier.case === 'portValue' && host !== '' ? { host, port: portSpecifier.value } : undefined
}

export function decodeChains(listener: Listener): { readonly chains: readonly DecodedChain[]; readonly fallback: DecodedChain | undefined } {
  if (listener.filterChainMatcher !== undefined) throw new MeshError('proxy/bad-config', `listener ${listener.name}: filter_chain_matcher is not supported`)
  const fallback = listener.defaultFilterChain
  if (listener.filterChains.length === 0 && fallback === undefined) {
    throw new MeshError('proxy/bad-config', `listener ${listener.name} (${formatAddress(listenerAddress(listener))}): no filter chain`)
  }
  return {
    chains: listener.filterChains.map((chain) => decodeChain(listener.name, chain)),
    fallback: fallback === undefined ? undefined : decodeChain(listener.name, fallback),
  }
}

function decodeChain(listener: string, message: FilterChain): DecodedChain {
  const where = `listener ${listener}, filter chain ${message.name === '' ? '(unnamed)' : message.name}`
  return { name: message.name, message, tls: decodeTlsSocket(where, message), terminal: decodeTerminal(where, message.filters) }
}

function decodeTlsSocket(where: string, { transportSocket }: FilterChain): DownstreamTlsContext | undefined {
  if (transportSocket === undefined || transportSocket.name === 'envoy.transport_sockets.raw_buffer') return undefined
  const config = transportSocket.configType
  const context = config.case === 'typedConfig' ? anyUnpack(config.value, DownstreamTlsContextSchema) : undefined
  if (context === undefined) throw new MeshError('proxy/bad-config', `${where}: transport socket ${transportSocket.name} is not supported`)
  return context
}

/** Filters that Istio lists for its own Envoy extensions and that carry no configuration which this proxy needs. */
const withoutEffect = new Set(['istio.metadata_exchange', 'istio.stats', 'envoy.filters.network.metadata_exchange'])

function decodeTerminal(where: string, filters: readonly Filter[]): TerminalFilter {
  const effective = filters.filter(({ name }) => !withoutEffect.has(name))
  const last = effective.at(-1)
  if (last === undefined) throw new MeshError('proxy/bad-config', `${where}: no network filter`)
  const before = effective.slice(0, -1)
  const namedPort = before.map(namedPortOf).find((port) => port > 0) ?? 0
  const guards = before.filter((filter) => namedPortOf(filter) === 0).map((filter) => guardOf(where, filter))
  const any = last.configType.case === 'typedConfig' ? last.configType.value : undefined
  const http = any === undefined ? undefined : anyUnpack(any, HttpConnectionManagerSchema)
  if (http !== undefined && before.length > 0) throw new MeshError('proxy/bad-config', `${where}: network filters before HTTP are not served: HTTP has filters of its own`)
  if (http !== undefined) return { kind: 'http', config: http }
  const tcp = any === undefined ? undefined : anyUnpack(any, TcpProxySchema)
  if (tcp !== undefined) return { kind: 'tcp', config: tcp, guards, namedPort }
  throw new MeshError('proxy/bad-config', `${where}: network filter ${last.name} is not supported`)
}

/** 0 for other filters. */
function namedPortOf({ configType }: Filter): number {
  const config = configType.case === 'typedConfig' ? anyUnpack(configType.value, ServerNameFilterSchema) : undefined
  return config?.portSpecifier.value ?? (config === undefined ? 0 : defaultNamedPort)
}

/** Envoy's. */
const defaultNamedPort = 443

function guardOf(where: string, { name, configType }: Filter): Guard {
  const any = configType.case === 'typedConfig' ? configType.value : undefined
  const rbac = any === undefined ? undefined : anyUnpack(any, RBACSchema)
  if (rbac !== undefined) return { kind: 'rbac', config: rbac }
  const asks = any === undefined ? undefined : anyUnpack(any, ExtAuthzSchema)
  if (asks === undefined) throw new MeshError('proxy/bad-config', `${where}: network filter ${name} is not served yet`)
  return { kind: 'ext-authz', config: asks }
}

/** Name of the route table that the chain asks for; undefined when it carries its own. */
export function routeNameOf({ terminal }: DecodedChain): string | undefined {
  const specifier = terminal.kind === 'http' ? terminal.config.routeSpecifier : undefined
  return specifier?.case === 'rds' ? specifier.value.routeConfigName : undefined
}

/** Clusters that the chain names itself, without a route table from RDS. */
export function chainClusterNames({ terminal }: DecodedChain): readonly string[] {
  if (terminal.kind === 'http') {
    const { routeSpecifier } = terminal.config
    return routeSpecifier.case === 'routeConfig' ? routeClusterNames(routeSpecifier.value) : []
  }
  const { clusterSpecifier } = terminal.config
  if (clusterSpecifier.case === 'cluster') return [clusterSpecifier.value]
  return clusterSpecifier.case === 'weightedClusters' ? clusterSpecifier.value.clusters.map(({ name }) => name) : []
}
