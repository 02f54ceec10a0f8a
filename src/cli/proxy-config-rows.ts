// The tables of `trysail proxy-config`: from Envoy's JSON to istioctl's columns.
import { X509Certificate } from 'node:crypto'
import { at, isRecord, list, record, text } from './json.ts'
import type { JsonRecord } from './json.ts'

export type ConfigType = 'listeners' | 'routes' | 'clusters' | 'endpoints' | 'secrets' | 'names'

interface Rows {
  readonly heading: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function rowsOf(type: ConfigType, resources: readonly JsonRecord[]): Rows {
  const { heading, rows } = shapes[type]
  return { heading, rows: resources.flatMap(rows) }
}

interface Shape {
  readonly heading: readonly string[]
  rows(resource: JsonRecord): (readonly string[])[]
}

const shapes: Readonly<Record<ConfigType, Shape>> = {
  listeners: { heading: ['NAME', 'ADDRESS', 'PORT', 'CHAINS', 'DESTINATION'], rows: listenerRows },
  routes: { heading: ['NAME', 'VHOST', 'DOMAINS', 'MATCH', 'DESTINATION', 'FROM'], rows: routeRows },
  clusters: { heading: ['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'FROM'], rows: clusterRows },
  endpoints: { heading: ['ENDPOINT', 'STATUS', 'CLUSTER'], rows: endpointRows },
  secrets: { heading: ['NAME', 'TYPE', 'VALID', 'NOT AFTER', 'SERIAL NUMBER'], rows: secretRows },
  names: { heading: ['NAME', 'ADDRESSES', 'REGISTRY'], rows: nameRows },
}

/** Many addresses of a headless service would fill the screen: `-o json` has them all. */
const shownAddresses = 4

function nameRows(one: JsonRecord): (readonly string[])[] {
  const ips = list(one['ips']).map(text)
  const more = ips.length > shownAddresses ? ` and ${ips.length - shownAddresses} more` : ''
  return [[text(one['name']), `${ips.slice(0, shownAddresses).join(', ')}${more}`, text(one['registry'])]]
}

function listenerRows(listener: JsonRecord): (readonly string[])[] {
  const address = at(listener, 'address', 'socket_address')
  const chains = [...list(listener['filter_chains']), ...(listener['default_filter_chain'] === undefined ? [] : [listener['default_filter_chain']])]
  const destinations = new Set(chains.flatMap((chain) => list(at(chain, 'filters')).map(destinationOf)).filter((one) => one !== ''))
  return [[text(listener['name']), text(at(address, 'address')), text(at(address, 'port_value')), String(chains.length), [...destinations].join(', ')]]
}

function destinationOf(filter: unknown): string {
  const config = at(filter, 'typed_config')
  const route = text(at(config, 'rds', 'route_config_name')) || text(at(config, 'route_config', 'name'))
  if (route !== '') return `route ${route}`
  const cluster = text(at(config, 'cluster'))
  return cluster === '' ? '' : `cluster ${cluster}`
}

function routeRows(configuration: JsonRecord): (readonly string[])[] {
  return list(configuration['virtual_hosts']).flatMap((host) =>
    list(at(host, 'routes')).map((route) => [
      text(configuration['name']), text(at(host, 'name')), domainsOf(list(at(host, 'domains'))), matchOf(at(route, 'match')), actionOf(route), fromOf(route),
    ]),
  )
}

const domainsOf = (domains: readonly unknown[]): string => `${text(domains[0])}${domains.length > 1 ? ` and ${domains.length - 1} more` : ''}`

function matchOf(match: unknown): string {
  const path = text(at(match, 'path'))
  const prefix = text(at(match, 'prefix')) || text(at(match, 'path_separated_prefix'))
  const where = path !== '' ? path : prefix !== '' ? `${prefix}*` : `~${text(at(match, 'safe_regex', 'regex'))}`
  const headers = list(at(match, 'headers')).map((header) => text(at(header, 'name')))
  return headers.length === 0 ? where : `${where} with ${headers.join(', ')}`
}

function actionOf(route: unknown): string {
  const weighted = list(at(route, 'route', 'weighted_clusters', 'clusters'))
  if (weighted.length > 0) return weighted.map((one) => `${text(at(one, 'weight'))} ${text(at(one, 'name'))}`).join(', ')
  if (isRecord(at(route, 'redirect'))) return 'redirect'
  if (isRecord(at(route, 'direct_response'))) return `answers ${text(at(route, 'direct_response', 'status'))}`
  return text(at(route, 'route', 'cluster'))
}

/** The resource that a route or cluster came from. */
const fromOf = (value: unknown): string => text(at(value, 'metadata', 'filter_metadata', 'trysail', 'resource'))

function clusterRows(cluster: JsonRecord): (readonly string[])[] {
  const name = text(cluster['name'])
  const [direction = '', port = '', subset = '', host = ''] = name.split('|')
  const type = text(cluster['type']) || text(at(cluster, 'cluster_type', 'name')) || 'STATIC'
  return [host === '' && port === '' ? [name, '-', '-', '-', type, fromOf(cluster)] : [host, port, subset || '-', direction, type, fromOf(cluster)]]
}

function endpointRows(assignment: JsonRecord): (readonly string[])[] {
  return list(assignment['endpoints']).flatMap((locality) =>
    list(at(locality, 'lb_endpoints')).map((one) => {
      const socket = at(one, 'endpoint', 'address', 'socket_address')
      return [`${text(at(socket, 'address'))}:${text(at(socket, 'port_value'))}`, text(record(one)['health_status']) || 'HEALTHY', text(assignment['cluster_name'])]
    }),
  )
}

function secretRows(secret: JsonRecord): (readonly string[])[] {
  const chain = text(at(secret, 'tls_certificate', 'certificate_chain', 'inline_bytes'))
  const roots = text(at(secret, 'validation_context', 'trusted_ca', 'inline_bytes'))
  const pem = Buffer.from(chain || roots, 'base64').toString()
  const name = text(secret['name'])
  if (!pem.includes('BEGIN CERTIFICATE')) return [[name, chain === '' ? 'CA' : 'Cert Chain', '-', '-', '-']]
  const certificate = new X509Certificate(pem)
  const valid = certificate.validToDate.getTime() > Date.now() && certificate.validFromDate.getTime() <= Date.now()
  return [[name, chain === '' ? 'CA' : 'Cert Chain', String(valid), certificate.validToDate.toISOString(), certificate.serialNumber]]
}
