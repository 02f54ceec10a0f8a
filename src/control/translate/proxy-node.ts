// A connected proxy as translators see it: read once from its xDS node (traffic spec 6.4), never edited.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { MeshError } from '../../lib/errors.ts'
import type { Locality } from '../../model/service.ts'
import { proxyConfigSchema } from '../../kinds/core/proxy-config.ts'
import type { ProxyConfigSpec } from '../specs.ts'

export type ProxyType = 'sidecar' | 'router' | 'waypoint' | 'ztunnel'

export interface ProxyNode {
  readonly id: string
  readonly type: ProxyType
  /** All its addresses; the first is the one in its id. */
  readonly addresses: readonly string[]
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly clusterId: string
  readonly network: string
  /** It asks for the proxies of its own workload, to balance by zones. */
  readonly discoversFleet: boolean
  /** Empty when neither node nor workload says. */
  readonly locality: Locality
  /** Port of its forward proxy listener on loopback; undefined for none. */
  readonly httpProxyPort: number | undefined
  readonly version: string
  /** How Istio's agent says that its proxy is set up; undefined for other proxies. */
  readonly config: ProxyConfigSpec | undefined
  readonly takesHttp10: boolean
  /** Its workload asks its agent for names, and so knows addresses that were allocated. */
  readonly capturesDns: boolean
  /** The kernel brings what is sent to its workload as it is (TPROXY). */
  readonly transparent: boolean
  /** WorkloadGroup by which it registers itself; empty for none. */
  readonly group: string
  /** Of connections of HTTP clients, as Istio's agent says it; empty for nothing. */
  readonly idleTimeout: string
}

/** What of an Envoy node matters; the protobuf message and a NODE.json both fit. */
/** Listeners of all addresses are those of both families for it. */
export const isDualStack = ({ addresses }: ProxyNode): boolean => addresses.some((one) => one.includes(':'))

export interface NodeLike {
  readonly id: string
  readonly metadata?: JsonObject | undefined
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly subZone?: string; readonly subzone?: string } | undefined
}

const types: readonly string[] = ['sidecar', 'router', 'waypoint', 'ztunnel'] satisfies ProxyType[]

/** Longer than every name in it at its longest. It goes into logs and pages, so that no control character may be in it. */
const maxIdLength = 1_024
const shownLength = 200
const isPrintable = (id: string): boolean => /^[\x20-\x7e]*$/.test(id)

/** Throws `control/bad-node` for an id that is not `type~ip~name.namespace~domain`. */
export function readProxyNode(node: NodeLike): ProxyNode {
  const [type, ip, instance] = node.id.split('~')
  const dot = (instance ?? '').lastIndexOf('.')
  if (node.id.length > maxIdLength || !isPrintable(node.id) || type === undefined || !types.includes(type) || ip === undefined || instance === undefined || dot <= 0) {
    throw new MeshError('control/bad-node', `node id ${JSON.stringify(node.id.slice(0, shownLength))} is not TYPE~IP~NAME.NAMESPACE~DOMAIN in at most ${maxIdLength} printable characters, with TYPE one of ${types.join(', ')}`)
  }
  const metadata = node.metadata ?? {}
  return {
    id: node.id,
    type: type as ProxyType,
    addresses: addressesOf(ip, text(metadata['INSTANCE_IPS'])),
    name: text(metadata['NAME']) || instance.slice(0, dot),
    namespace: text(metadata['NAMESPACE']) || instance.slice(dot + 1),
    labels: stringMap(metadata['LABELS']),
    serviceAccount: text(metadata['SERVICE_ACCOUNT']) || 'default',
    clusterId: text(metadata['CLUSTER_ID']) || 'Kubernetes',
    network: text(metadata['NETWORK']),
    discoversFleet: text(metadata['ENABLE_SELF_DISCOVERY']) === 'true',
    locality: {
      region: node.locality?.region ?? '',
      zone: node.locality?.zone ?? '',
      subzone: node.locality?.subZone ?? node.locality?.subzone ?? '',
    },
    httpProxyPort: portOf(metadata['HTTP_PROXY_PORT']),
    config: configOf(metadata['PROXY_CONFIG']),
    group: text(metadata['AUTO_REGISTER_GROUP']),
    capturesDns: text(metadata['DNS_CAPTURE']) === 'true' || metadata['DNS_CAPTURE'] === true,
    takesHttp10: text(metadata['HTTP10']) === '1',
    transparent: text(metadata['INTERCEPTION_MODE']) === 'TPROXY',
    idleTimeout: text(metadata['IDLE_TIMEOUT']),
    version: text(metadata['ISTIO_VERSION']) || text(metadata['TRYSAIL_VERSION']),
  }
}

const readSchema = proxyConfigSchema.pick({ gatewayTopology: true, proxyMetadata: true }).strip()

/** Agents say all that they know, of which two parts are of use. */
function configOf(value: JsonValue | undefined): ProxyConfigSpec | undefined {
  return readSchema.safeParse(value).data
}

function addressesOf(ip: string, instanceIps: string): readonly string[] {
  const all = [ip, ...instanceIps.split(',').map((one) => one.trim())]
  return [...new Set(all.filter((one) => one !== ''))]
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

function portOf(value: JsonValue | undefined): number | undefined {
  const port = Number(value)
  return Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined
}

function stringMap(value: JsonValue | undefined): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
