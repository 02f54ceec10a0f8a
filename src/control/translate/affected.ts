// Which types a change can show in, so that a push looks at no others (traffic spec 6.2).
import type { ProxyType } from './proxy-node.ts'
import type { TypeName } from './table.ts'

/** Kinds of changes that never show in a type. What is not listed shows everywhere: looking in vain costs time, not truth. */
const ignores: Readonly<Record<TypeName, readonly string[]>> = {
  // Clusters name the identities of their endpoints: a change of endpoints may show.
  CDS: ['Trust', 'WorkloadEntry', 'WorkloadGroup', 'AuthorizationPolicy', 'RequestAuthentication', 'KeySet', 'Secret', 'Telemetry', 'ProxyConfig', 'Namespace', 'Node'],
  EDS: ['Trust', 'WorkloadGroup', 'AuthorizationPolicy', 'RequestAuthentication', 'KeySet', 'Secret', 'Telemetry', 'Namespace'],
  LDS: ['Trust', 'WorkloadEntry', 'WorkloadGroup', 'Secret', 'Endpoint', 'Namespace', 'Node'],
  RDS: [
    'Trust', 'WorkloadEntry', 'WorkloadGroup', 'AuthorizationPolicy', 'RequestAuthentication', 'KeySet', 'PeerAuthentication', 'Secret', 'Telemetry',
    'ProxyConfig', 'Endpoint', 'Namespace', 'Node',
  ],
  SDS: [],
  NDS: [],
  PCDS: [],
}

/** What names there are, who sees them, and the addresses of headless services. */
const namedBy = ['Service', 'HeadlessEndpoint', 'Sidecar', 'MeshConfig']

const sidecarIgnores: Readonly<Partial<Record<TypeName, readonly string[]>>> = {
  CDS: ['Gateway'],
  // At routers a server of AUTO_PASSTHROUGH names endpoints of its own.
  EDS: ['Gateway'],
  LDS: ['Gateway'],
  RDS: ['Gateway', 'HeadlessEndpoint'],
}

export function isAffected(type: TypeName, proxyType: ProxyType, changed: ReadonlySet<string>): boolean {
  if (type === 'SDS') return changed.has('Secret') || changed.has('Trust')
  if (type === 'PCDS') return changed.has('WorkloadGroup')
  if (type === 'NDS') return namedBy.some((kind) => changed.has(kind))
  const ignored = new Set([...ignores[type], ...(proxyType === 'sidecar' ? sidecarIgnores[type] ?? [] : [])])
  return [...changed].some((kind) => !ignored.has(kind))
}
