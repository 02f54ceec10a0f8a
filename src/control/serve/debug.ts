// The control plane's HTTP server for people and probes, on loopback: readiness, metrics, who is in sync, what is known
// and what became of it. Paths are istiod's where it has them (traffic spec 6.6). Nothing here changes anything.
import { createServer } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import { MeshError } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import { listenError } from '../../net/listen-error.ts'
import { isLoopbackAuthority } from '../../net/loopback.ts'
import type { AuditCounts } from '../../telemetry/audit/events.ts'
import { proxyStatusJson } from '../status/proxies.ts'
import type { WorldState } from '../world-state.ts'
import { dump } from '../translate/dump.ts'
import { typeNames } from '../translate/table.ts'

export interface DebugServer {
  readonly port: number
  close(): Promise<void>
}

interface Page {
  readonly path: string
  readonly sentence: string
  readonly render: (state: WorldState, query: URLSearchParams, auditCounts: AuditCounts | undefined) => Answer
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const json = (value: unknown): Answer => ({ status: 200, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` })
const plain = (body: string, status = 200): Answer => ({ status, type: 'text/plain; charset=utf-8', body: `${body}\n` })

const pages: readonly Page[] = [
  { path: '/ready', sentence: 'whether a source has delivered', render: (state) => (state.ready ? plain('ready') : plain('no source has delivered yet', 503)) },
  { path: '/metrics', sentence: 'Prometheus', render: (state, _query, auditCounts) => plain(metrics(state, auditCounts).trimEnd()) },
  { path: '/debug/syncz', sentence: 'proxies, and what each has taken', render: (state) => json(proxyStatusJson(state.board.proxies.values(), Date.now())) },
  { path: '/debug/configz', sentence: 'resources in use', render: (state) => json(state.snapshot.resources) },
  { path: '/debug/status', sentence: 'what became of each resource', render: (state) => json(statusOf(state)) },
  { path: '/debug/registryz', sentence: 'services', render: (state) => json(state.snapshot.services.all) },
  { path: '/debug/endpointz', sentence: 'endpoints', render: (state) => json(state.snapshot.world.endpoints) },
  { path: '/debug/workloadz', sentence: 'workloads', render: (state) => json(state.snapshot.workloads.all) },
  { path: '/debug/mesh', sentence: 'mesh settings', render: (state) => json(state.snapshot.mesh) },
  { path: '/debug/config_dump', sentence: 'all of one proxy: ?proxyID=NAME.NAMESPACE', render: configDump },
]

/** A few tools at a time are enough; more would only be a way to slow the control plane down. */
const maxConnections = 64

/** Only ever on loopback: it shows everything but secrets. Fails with `control/listen` when the port is taken. */
export async function startDebugServer(state: WorldState, port: number, auditCounts: () => AuditCounts | undefined = () => undefined): Promise<DebugServer> {
  const server = createServer((request, response) => {
    // A page in a browser can reach loopback by a name of its own: only loopback's own names are served.
    if (isLoopbackAuthority(request.headers.host)) answer(response, request.method ?? '', new URL(request.url ?? '/', 'http://localhost'), { state, auditCounts: auditCounts() })
    else write(response, plain('this server is for loopback', 403))
  })
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    const at = { host: '127.0.0.1', port }
    server.once('error', (cause) => reject(new MeshError('control/listen', `the debug pages (debugPort) cannot be served on ${formatAddress(at)}`, listenError(at, cause))))
    server.listen(port, at.host, resolve)
  })
  const at = server.address()
  return { port: typeof at === 'object' && at !== null ? at.port : port, close: () => closeServer(server) }
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

interface Known {
  readonly state: WorldState
  readonly auditCounts: AuditCounts | undefined
}

function answer(response: ServerResponse, method: string, url: URL, known: Known): void {
  write(response, method === 'GET' || method === 'HEAD' ? render(url, known) : plain('GET only', 405))
}

function write(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache, max-age=0' })
  response.end(body)
}

function render(url: URL, { state, auditCounts }: Known): Answer {
  const page = pages.find((one) => one.path === url.pathname)
  if (page !== undefined) {
    return state.ready || page.path === '/ready' || page.path === '/metrics' ? page.render(state, url.searchParams, auditCounts) : plain('not ready', 503)
  }
  const known = pages.map((one) => `${one.path.padEnd(22)}${one.sentence}`).join('\n')
  return ['/', '/debug', '/debug/', '/debug/list'].includes(url.pathname) ? plain(known) : plain(`no such page; there are:\n${known}`, 404)
}

function statusOf(state: WorldState) {
  const { board } = state
  return { ...board.rollout(), resources: board.resources, buildProblems: board.buildProblems }
}

function configDump(state: WorldState, query: URLSearchParams): Answer {
  const wanted = query.get('proxyID') ?? ''
  const found = [...state.board.proxies.values()].find(({ node }) => node.id === wanted || `${node.name}.${node.namespace}` === wanted)
  if (found === undefined) return plain(`no connected proxy is ${JSON.stringify(wanted)}: give ?proxyID=NAME.NAMESPACE`, 404)
  const { node } = found
  const metadata = { LABELS: { ...node.labels }, NAMESPACE: node.namespace, NAME: node.name, CLUSTER_ID: node.clusterId,
    ...(node.httpProxyPort !== undefined && { HTTP_PROXY_PORT: node.httpProxyPort }) }
  return json(dump({ id: node.id, metadata, locality: node.locality }, state.snapshot))
}

function metrics(state: WorldState, audit: AuditCounts | undefined): string {
  const proxies = [...state.board.proxies.values()]
  const sum = (field: 'sent' | 'nacked') => typeNames.map((type) => {
    const total = state.board.total(type, field)
    return `${field === 'sent' ? 'pilot_xds_pushes' : 'pilot_total_xds_rejects'}{type="${type.toLowerCase()}"} ${total}`
  })
  return [
    '# TYPE pilot_xds gauge', `pilot_xds ${proxies.length}`,
    '# TYPE pilot_xds_pushes counter', ...sum('sent'),
    '# TYPE pilot_total_xds_rejects counter', ...sum('nacked'),
    '# TYPE pilot_services gauge', `pilot_services ${state.ready ? state.snapshot.services.all.length : 0}`,
    '# TYPE pilot_total_rejected_configs gauge', `pilot_total_rejected_configs ${state.board.resources.filter((one) => one.state !== 'valid').length}`,
    ...(audit === undefined ? [] : ['# TYPE trysail_audit_events counter', `trysail_audit_events ${audit.written}`, '# TYPE trysail_audit_events_lost counter', `trysail_audit_events_lost ${audit.lost}`]),
    '# TYPE trysail_push_generation counter', `trysail_push_generation ${state.board.generation}`,
    '# TYPE trysail_resource_builds counter', `trysail_resource_builds ${state.builds}`,
    '',
  ].join('\n')
}
