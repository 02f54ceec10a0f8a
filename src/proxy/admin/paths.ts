// The table of admin paths: what each one is for. It asks the proxy through one narrow interface and changes it only
// through four verbs: drain, end, health, new log files.
import { X509Certificate } from 'node:crypto'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { spawn } from '../../lib/errors.ts'
import type { InboundPeersShown } from '../listen/inbound-peers.ts'
import { clustersPath } from './clusters.ts'
import type { ClusterShown, ClusterStatus } from './clusters.ts'
import { configDumpPath } from './config-dump.ts'
import type { ConfigDumpSource } from './config-dump.ts'
import { explainPath } from './explain.ts'
import type { ExplainSource } from './explain.ts'
import type { NameTable } from '../xds/names.ts'
import { json, plainText } from './server.ts'
import type { AdminPath, AdminResponse } from './server.ts'

export type ProxyState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING'

export interface AdminSource extends ConfigDumpSource, ExplainSource {
  state(): ProxyState
  /** What keeps it from being ready; empty when nothing does. */
  notReadyBecause(): string
  readonly startedAt: number
  readonly version: string
  readonly nodeId: string
  clusters(): readonly ClusterStatus[]
  /** Of all threads, as what is counted below. */
  clustersShown?(): Promise<readonly ClusterShown[]>
  listeners(): readonly { readonly name: string; readonly address: Address; readonly bound: boolean; readonly problem: string }[]
  inboundPeers(): InboundPeersShown | Promise<InboundPeersShown>
  /** That the workload may look up; undefined where nobody has asked for them, or none have come. */
  names?(): NameTable | undefined
  stats(): readonly StatLine[] | Promise<readonly StatLine[]>
  prometheus(): string | Promise<string>
  drain(graceful: boolean): Promise<void>
  quit(): void
  failHealthcheck(failing: boolean): void
  reopenLogs(): void
}

export interface StatLine {
  readonly name: string
  readonly value: number
}

export function adminPaths(source: AdminSource): readonly AdminPath[] {
  return [
    get('/ready', 'LIVE once the first configuration serves', () => ready(source)),
    get('/server_info', 'version, state, uptime, node', () => json(serverInfo(source))),
    configDumpPath(source),
    clustersPath(() => source.clustersShown?.() ?? source.clusters()),
    explainPath(source),
    get('/listeners', 'listeners and where they listen (?format=json)', ({ query }) => listeners(source, query.get('format') === 'json')),
    get('/inbound_peers', 'clients that came without a certificate of the mesh, by port', async () => json(await source.inboundPeers())),
    get('/names', 'names that the workload may look up, with their addresses, where its look-ups are captured', () => names(source)),
    get('/certs', 'certificates and their validity', () => json({ certificates: certificates(source) })),
    get('/stats', 'counters and gauges (?filter=substring, ?usedonly, ?format=json or prometheus)', ({ query }) => stats(source, query)),
    get('/stats/prometheus', 'the same for Prometheus', async () => plainText(await source.prometheus())),
    get('/memory', 'memory in use', () => json(memory())),
    post('/drain_listeners', 'stop accepting and finish what is open (?graceful)', ({ query }) => drained(source, query.has('graceful'))),
    post('/healthcheck/fail', 'not ready from now on, still serving', () => health(source, true)),
    post('/healthcheck/ok', 'ready again', () => health(source, false)),
    post('/reopen_logs', 'open the access log files anew, after they were moved away', () => logsReopened(source)),
    post('/quitquitquit', 'end the proxy', () => quit(source)),
  ]
}

function get(path: string, sentence: string, answer: AdminPath['answer']): AdminPath {
  return { method: 'GET', path, sentence, answer }
}

function post(path: string, sentence: string, answer: AdminPath['answer']): AdminPath {
  return { method: 'POST', path, sentence, answer }
}

function names(source: AdminSource): AdminResponse {
  const known = source.names?.()
  if (known === undefined) return plainText('no names: look-ups are not captured (--dns-capture), or the control plane has not said any yet\n', 404)
  return json({ names: [...known].map(([name, { ips, registry, shortname, namespace }]) => ({ name, ips, registry, ...(shortname !== '' && { shortname, namespace }) })) })
}

function ready(source: AdminSource): AdminResponse {
  const why = source.notReadyBecause()
  return why === '' ? plainText('LIVE\n') : plainText(`${source.state()}: ${why}\n`, 503)
}

function serverInfo(source: AdminSource) {
  const { version, startedAt, nodeId } = source
  const uptime = `${Math.floor((Date.now() - startedAt) / 1000)}s`
  return { version, state: source.state(), uptime_current_epoch: uptime, uptime_all_epochs: uptime, node: { id: nodeId } }
}

function listeners(source: AdminSource, asJson: boolean): AdminResponse {
  const all = source.listeners()
  if (!asJson) return plainText(all.map(({ name, address, bound, problem }) => `${name}::${formatAddress(address)}${bound ? '' : ' (not bound)'}${problem === '' ? '' : ` ${problem}`}\n`).join(''))
  return json({
    listener_statuses: all.map(({ name, address, bound, problem }) => ({
      name, local_address: { socket_address: { address: address.host, port_value: address.port } }, bound, ...(problem === '' ? {} : { problem }),
    })),
  })
}

function certificates(source: AdminSource) {
  return source.ownSecrets().flatMap(({ name, certificateChain, trustedCa }) => {
    const pem = certificateChain === '' ? trustedCa : certificateChain
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    return blocks.map((block) => certificateJson(name, new X509Certificate(block)))
  })
}

function certificateJson(name: string, certificate: X509Certificate) {
  const seconds = (certificate.validToDate.getTime() - Date.now()) / 1000
  return {
    secret: name,
    serial_number: certificate.serialNumber.toLowerCase(),
    subject: certificate.subject ?? '',
    subject_alt_names: certificate.subjectAltName ?? '',
    valid_from: certificate.validFromDate.toISOString(),
    expiration_time: certificate.validToDate.toISOString(),
    days_until_expiration: Math.max(0, Math.floor(seconds / 86_400)),
    seconds_until_expiration: Math.max(0, Math.floor(seconds)),
  }
}

async function stats(source: AdminSource, query: URLSearchParams): Promise<AdminResponse> {
  if (query.get('format') === 'prometheus') return plainText(await source.prometheus())
  const filter = query.get('filter') ?? ''
  const shown = (await source.stats()).filter(({ name, value }) => name.includes(filter) && !(query.has('usedonly') && value === 0))
  if (query.get('format') === 'json') return json({ stats: shown })
  return plainText(shown.map(({ name, value }) => `${name}: ${value}\n`).join(''))
}

function memory() {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return { allocated: heapUsed, heap_size: heapTotal, total_physical_bytes: rss, external, array_buffers: arrayBuffers }
}

function drained(source: AdminSource, graceful: boolean): AdminResponse {
  spawn('draining', source.drain(graceful))
  return plainText('OK\n')
}

function health(source: AdminSource, failing: boolean): AdminResponse {
  source.failHealthcheck(failing)
  return plainText('OK\n')
}

function logsReopened(source: AdminSource): AdminResponse {
  source.reopenLogs()
  return plainText('OK\n')
}

/** The answer goes out before the proxy ends. */
function quit(source: AdminSource): AdminResponse {
  setImmediate(() => source.quit())
  return plainText('OK\n')
}
