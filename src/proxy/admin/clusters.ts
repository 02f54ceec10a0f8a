// GET /clusters: every cluster with its hosts, their health and what they carry, in Envoy's text or JSON.
import { formatAddress } from '../../model/address.ts'
import type { Host } from '../upstream/types.ts'
import { json, plainText } from './server.ts'
import type { AdminPath } from './server.ts'

export interface ClusterStatus extends ClusterShown {
  readonly hosts: readonly Host[]
}

/** What is shown of a host. */
export type HostShown = Omit<Host, 'onResult' | 'workload' | 'mutualTls'>

export interface ClusterShown {
  readonly name: string
  /** Name of its load assignment; empty for clusters that are not EDS. */
  readonly assignmentName: string
  readonly hosts: readonly HostShown[]
}

export function clustersPath(statuses: () => readonly ClusterShown[] | Promise<readonly ClusterShown[]>): AdminPath {
  return {
    method: 'GET',
    path: '/clusters',
    sentence: 'upstream clusters and their hosts (?format=json)',
    answer: async ({ query }) => (query.get('format') === 'json' ? json({ cluster_statuses: (await statuses()).map(clusterJson) }) : plainText((await statuses()).map(clusterText).join(''))),
  }
}

function clusterText({ name, hosts }: ClusterShown): string {
  const lines = [`${name}::added_via_api::true`]
  for (const host of hosts) {
    const at = `${name}::${host.name}`
    for (const [stat, value] of statsOf(host)) lines.push(`${at}::${stat}::${value}`)
    lines.push(`${at}::health_flags::${healthFlags(host)}`, `${at}::weight::${host.weight}`, `${at}::priority::${host.priority ?? 0}`)
    const [region = '', zone = '', subZone = ''] = localityOf(host)
    lines.push(`${at}::region::${region}`, `${at}::zone::${zone}`, `${at}::sub_zone::${subZone}`)
    if (host.ejection !== undefined) lines.push(`${at}::outlier::${host.ejection}`)
  }
  return `${lines.join('\n')}\n`
}

const statNames = [
  ['cx_active', 'cxActive'], ['cx_connect_fail', 'cxConnectFail'], ['cx_total', 'cxTotal'], ['rq_error', 'rqError'],
  ['rq_success', 'rqSuccess'], ['rq_timeout', 'rqTimeout'], ['rq_total', 'rqTotal'],
] as const

function statsOf({ active, stats }: HostShown): [string, number][] {
  const counted = stats === undefined ? [] : statNames.map(([name, field]): [string, number] => [name, stats[field]])
  return [['rq_active', active], ...counted]
}

/** A host that is left out because connections to it fail is what Envoy calls an outlier. */
function healthFlags({ health, suspect = false, ejection }: HostShown): string {
  const flags = (suspect || ejection !== undefined ? '/failed_outlier_check' : '') + (health === 'draining' ? '/eds_status_draining' : health === 'unhealthy' ? '/failed_eds_health' : '')
  return flags === '' ? 'healthy' : flags
}

const localityOf = ({ locality = '' }: HostShown): readonly string[] => locality.split('/')

const edsHealth = { healthy: 'HEALTHY', unhealthy: 'UNHEALTHY', draining: 'DRAINING' } as const

function clusterJson({ name, assignmentName, hosts }: ClusterShown) {
  return {
    name,
    added_via_api: true,
    observability_name: name,
    ...(assignmentName === '' ? {} : { eds_service_name: assignmentName }),
    host_statuses: hosts.map(hostJson),
  }
}

function hostJson(host: HostShown) {
  const { host: address, port } = host.address
  const [region = '', zone = '', subZone = ''] = localityOf(host)
  return {
    address: { socket_address: { address, port_value: port } },
    hostname: formatAddress(host.address),
    stats: statsOf(host).map(([name, value]) => ({ name, type: name.endsWith('_active') ? 'GAUGE' : 'COUNTER', value: String(value) })),
    health_status: { eds_health_status: edsHealth[host.health], ...((host.suspect === true || host.ejection !== undefined) && { failed_outlier_check: true }) },
    weight: host.weight,
    priority: host.priority ?? 0,
    ...(region !== '' && { locality: { region, zone, sub_zone: subZone } }),
    ...(host.ejection !== undefined && { outlier: host.ejection }),
  }
}
