// The settings of one proxy: who it is, where its control plane is, how it serves and how it ends. File < env < flag.
import { choice, duration, integer, list, onOff, pairs, port, text } from '../lib/settings.ts'
import type { SettingsOf } from '../lib/settings.ts'

export const proxySettingsTable = {
  type: choice(['sidecar', 'router'], 'sidecar', 'What this proxy is: beside a workload, or a gateway.'),
  name: text('', 'Name of the workload (POD_NAME).'),
  namespace: text('default', 'Namespace of the workload (POD_NAMESPACE).'),
  serviceAccount: text('default', 'Service account: its identity is spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/THIS.'),
  ip: text('127.0.0.1', 'Address of the workload, as its services know it (INSTANCE_IP).'),
  instanceIps: list('IP', "Further addresses of the workload, such as IPv6's (INSTANCE_IPS)."),
  labels: pairs({}, 'Labels of the workload, as its services select it.'),
  autoRegisterGroup: text('', 'WorkloadGroup of its namespace by which the workload registers itself (ISTIO_META_AUTO_REGISTER_GROUP).'),
  workloadName: text('', 'What owns the workload, for metrics; its name without one.'),
  clusterId: text('Kubernetes', 'Name of the cluster or site.'),
  meshId: text('cluster.local', 'Name of the mesh, for metrics.'),
  network: text('', 'Network of the workload.'),
  locality: text('', 'REGION/ZONE/SUBZONE of the workload.'),
  domain: text('cluster.local', 'DNS domain of the cluster.'),
  trustDomain: text('cluster.local', 'Trust domain of the identity.'),
  discoveryAddress: text('127.0.0.1:15012', 'Control plane: xDS and CA.'),
  discoveryPlaintext: onOff(false, 'Plain gRPC to the control plane, only for one on loopback (15010).'),
  caAddress: text('', 'CA, where it is not the control plane.'),
  token: text('', 'Bearer token for the CA and xDS.'),
  tokenFile: text('', 'File with the token instead, read again whenever it is shown.'),
  certificateFile: text('', 'PEM file with its certificate chain, where that comes from elsewhere than the CA. Read at the start.'),
  keyFile: text('', 'PEM file with the key of that certificate.'),
  rootCaFile: text('', 'PEM file with the roots that vouch for the control plane.'),
  dnsCapture: onOff(false, 'Answers the look-ups of the workload: names of the mesh itself, others by its resolvers (ISTIO_META_DNS_CAPTURE).'),
  xdsProtocol: choice(['delta', 'sotw'], 'delta', 'Incremental xDS, or the state of the world, for older servers.'),
  interceptionMode: choice(['REDIRECT', 'TPROXY'], 'REDIRECT', "With TPROXY the workload sees its clients' own addresses; it takes CAP_NET_ADMIN (ISTIO_META_INTERCEPTION_MODE)."),
  httpProxyPort: port(0, 'Port of the HTTP_PROXY listener; 0: none.'),
  adminPort: port(15000, 'Admin server, on loopback; 0: any free port.'),
  drainDuration: duration('45s', 'How long replaced listeners and a graceful drain may take.'),
  terminationDrainDuration: duration('5s', 'How long open exchanges may take once the proxy is told to end.'),
  certificateLifetime: duration('24h', 'Lifetime asked for its certificate, renewed at half of it.'),
  maxConnections: integer(50_000, 'Connections at a time; more are closed at once. One costs 1 to 90 KB.', { min: 1, max: 1_000_000 }),
  auditLog: text('', 'File of the audit log: denials, refused handshakes, admin actions. Without it, none.'),
  concurrency: integer(1, 'Threads that serve, each with sockets of its own; 0: as many as there are cores for it.', { min: 0, max: 64 }),
  maxHandshakes: integer(4000, 'TLS handshakes under way at a time; more are closed at once. One that is never finished holds some 60 KB for 15 s.', { min: 1, max: 1_000_000 }),
  rawHandles: onOff(true, 'Raw stream handles where this Node has them: less CPU a request.'),
}

export type ProxySettings = SettingsOf<typeof proxySettingsTable>

export const proxyEnvPrefix = 'TRYSAIL_PROXY_'

/** The defaults, with some replaced: for tests and for proxies that share a process. */
export function proxySettings(over: Partial<ProxySettings>): ProxySettings {
  const initial = Object.fromEntries(Object.entries(proxySettingsTable).map(([name, row]) => [name, row.initial]))
  return { ...(initial as ProxySettings), ...over }
}
