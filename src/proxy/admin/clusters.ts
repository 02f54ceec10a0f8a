// GET /clusters: every cluster with its hosts, their health and what they carry, in Envoy's text or JSON.
import { formatAddress } from '../../model/address.ts'
import type { Host } from '../upstream/types.ts'
import { json, plainText } from './server.ts'
import type { AdminPath } from './server.ts'

export interface ClusterStatus {
  readonly name: string
  /** Name of its load assignment; empty for clusters that are not EDS. */
  readonly assignmentName: string
  readonly hosts: readonly Host[]
}

export function clustersPath(statuses: () => readonly ClusterStatus[]): AdminPath {
  return {
    method: 'GET',
    path: '/clusters',
    sentence: 'upstream clusters and their hosts (?format=json)',
    answer: ({ query }) => (query.get('format') === 'json' ? json({ cluster_statuses: statuses().map(clusterJson) }) : plainText(statuses().map(clusterText).join(''))),
  }
}

function clusterText({ name, hosts }: ClusterStatus): string {
  const lines = [`${name}::added_via_api::true`]
  for (const host of hosts) {
    const at = `${name}::${host.name}`
    lines.push(`${at}::rq_active::${host.active}`, `${at}::health_flags::${healthFlags(host)}`, `${at}::weight::${host.weight}`)
  }
  return `${lines.join('\n')}\n`
}

function healthFlags({ health }: Host): string {
  if (health === 'healthy') return 'healthy'
  return health === 'draining' ? '/eds_status_draining' : '/failed_eds_health'
}

const edsHealth = { healthy: 'HEALTHY', unhealthy: 'UNHEALTHY', draining: 'DRAINING' } as const

function clusterJson({ name, assignmentName, hosts }: ClusterStatus) {
  return {
    name,
    added_via_api: true,
    observability_name: name,
    ...(assignmentName === '' ? {} : { eds_service_name: assignmentName }),
    host_statuses: hosts.map(hostJson),
  }
}

function hostJson(host: Host) {
  const { host: address, port } = host.address
  return {
    address: { socket_address: { address, port_value: port } },
    hostname: formatAddress(host.address),
    stats: [{ name: 'rq_active', type: 'GAUGE', value: String(host.active) }],
    health_status: { eds_health_status: edsHealth[host.health] },
    weight: host.weight,
  }
}
