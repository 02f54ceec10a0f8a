// The admin server as curl and istioctl meet it: Envoy's paths, methods and sections, and no key ever shown.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { adminPaths } from '../../src/proxy/admin/paths.ts'
import type { AdminSource } from '../../src/proxy/admin/paths.ts'
import { startAdmin } from '../../src/proxy/admin/server.ts'
import { nothingAccepted } from '../../src/proxy/xds/accepted.ts'
import { ClusterSchema } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { SecretSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { OpensslCa } from '../support/openssl-ca.ts'

interface Answer {
  readonly status: number
  readonly body: string
}

function ask(port: number, path: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, host: '127.0.0.1', method: options.method ?? 'GET', agent: false, headers: { host: options.host ?? `127.0.0.1:${port}` } }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => (body += bytes.toString())).on('end', () => resolve({ status: response.statusCode!, body }))
    })
    asked.on('error', reject).end()
  })
}

async function adminWith(over: Partial<AdminSource>) {
  const calls: string[] = []
  const source: AdminSource = {
    accepted: nothingAccepted(),
    bootstrap: () => ({ node: { id: 'sidecar~10.0.0.1~web.default~default.svc.cluster.local' } }),
    ownSecrets: () => [],
    state: () => 'LIVE',
    notReadyBecause: () => '',
    startedAt: Date.now(), version: '0.1.0', nodeId: 'sidecar~10.0.0.1~web.default~default.svc.cluster.local',
    clusters: () => [], listeners: () => [], lookup: () => undefined,
    inboundPeers: () => ({ since: '', ports: [], plaintext: [], forgotten: 0 }),
    stats: () => [{ name: 'listener.downstream_cx_total', value: 3 }, { name: 'cluster.upstream_cx_total', value: 0 }],
    prometheus: () => '# TYPE x counter\nx 1\n',
    drain: (graceful) => {
      calls.push(`drain ${graceful}`)
      return Promise.resolve()
    },
    quit: () => calls.push('quit'),
    reopenLogs: () => calls.push('reopen logs'),
    failHealthcheck: (failing) => calls.push(`fail ${failing}`),
    ...over,
  }
  const server = await startAdmin(0, adminPaths(source), (action, from) => calls.push(`audit ${action} from ${from.host}`))
  return { port: server.port, calls, [Symbol.asyncDispose]: () => server.close() }
}

test('ready says LIVE, or 503 with what is missing', async () => {
  let why = 'no listeners yet'
  await using admin = await adminWith({ notReadyBecause: () => why, state: () => 'INITIALIZING' })
  assert.deepEqual(await ask(admin.port, '/ready'), { status: 503, body: 'INITIALIZING: no listeners yet\n' })
  why = ''
  assert.deepEqual(await ask(admin.port, '/ready'), { status: 200, body: 'LIVE\n' })
})

test('an unknown path gets 404 with the list of paths, a wrong method 405', async () => {
  await using admin = await adminWith({})
  const unknown = await ask(admin.port, '/no/such')
  assert.equal(unknown.status, 404)
  assert.match(unknown.body, /\/config_dump: /)
  assert.equal((await ask(admin.port, '/quitquitquit')).status, 405)
  assert.equal((await ask(admin.port, '/ready', { method: 'POST' })).status, 405)
  assert.match((await ask(admin.port, '/help')).body, /\/drain_listeners \(POST\)/)
})

test('verbs reach the proxy', async () => {
  await using admin = await adminWith({})
  for (const path of ['/healthcheck/fail', '/healthcheck/ok', '/drain_listeners?graceful', '/reopen_logs', '/quitquitquit']) {
    assert.equal((await ask(admin.port, path, { method: 'POST' })).status, 200, path)
  }
  await new Promise(setImmediate)
  const actions = ['/healthcheck/fail', '/healthcheck/ok', '/drain_listeners?graceful', '/reopen_logs', '/quitquitquit'].map((path) => `audit POST ${path} from 127.0.0.1`)
  const done = ['fail true', 'fail false', 'drain true', 'reopen logs', 'quit']
  assert.deepEqual(admin.calls, actions.flatMap((action, i) => [action, done[i]]))
})

test('a page in a browser that reached loopback by another name is refused', async () => {
  await using admin = await adminWith({})
  assert.equal((await ask(admin.port, '/config_dump', { host: 'evil.example' })).status, 403)
  assert.equal((await ask(admin.port, '/ready', { host: 'localhost' })).status, 200)
})

test('the config dump has Envoy\'s sections and shows no private key', async () => {
  using ca = new OpensslCa()
  const own = ca.issue('URI:spiffe://cluster.local/ns/default/sa/web')
  const gateway = ca.issue('DNS:example.com')
  const accepted = nothingAccepted()
  accepted.clusters.record([{ name: 'a', version: '1', any: anyPack(ClusterSchema, create(ClusterSchema, { name: 'a' })) }], [], new Map(), '7', 0)
  accepted.clusters.record([{ name: 'b', version: '2', any: anyPack(ClusterSchema, create(ClusterSchema, { name: 'b' })) }], [], new Map([['b', 'no policy']]), '8', 0)
  const pem = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
  const secret = create(SecretSchema, { name: 'kubernetes://cert', type: { case: 'tlsCertificate', value: { certificateChain: pem(gateway.chain), privateKey: pem(gateway.key) } } })
  accepted.secrets.record([{ name: 'kubernetes://cert', version: '1', any: anyPack(SecretSchema, secret) }], [], new Map(), '1', 0)
  await using admin = await adminWith({ accepted, ownSecrets: () => [{ name: 'default', certificateChain: own.chain, trustedCa: '' }, { name: 'ROOTCA', certificateChain: '', trustedCa: ca.roots }] })
  const { body } = await ask(admin.port, '/config_dump?include_eds')
  const { configs } = JSON.parse(body) as { configs: Record<string, unknown>[] }
  assert.deepEqual(configs.map((config) => String(config['@type']).split('.').at(-1)), [
    'BootstrapConfigDump', 'ClustersConfigDump', 'EndpointsConfigDump', 'ListenersConfigDump', 'RoutesConfigDump', 'SecretsConfigDump',
  ])
  assert.deepEqual(configs[1], {
    '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump',
    version_info: '7',
    dynamic_active_clusters: [
      { version_info: '1', cluster: { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'a' }, last_updated: '1970-01-01T00:00:00.000Z' },
      { cluster: { name: 'b' }, error_state: { details: 'no policy', last_update_attempt: '1970-01-01T00:00:00.000Z', version_info: '2' } },
    ],
  })
  for (const key of [own.key, gateway.key]) {
    const middle = key.split('\n')[1]!
    assert.ok(!body.includes(middle) && !body.includes(Buffer.from(key).toString('base64').slice(40, 80)), 'a key is shown')
  }
  const narrowed = JSON.parse((await ask(admin.port, '/config_dump?resource=dynamic_active_clusters&name_regex=a')).body) as { configs: unknown[] }
  assert.equal(narrowed.configs.length, 1)
})

test('certificates are shown with names and validity', async () => {
  using ca = new OpensslCa()
  const own = ca.issue('URI:spiffe://cluster.local/ns/default/sa/web')
  await using admin = await adminWith({ ownSecrets: () => [{ name: 'default', certificateChain: own.chain, trustedCa: '' }] })
  const { certificates } = JSON.parse((await ask(admin.port, '/certs')).body) as { certificates: Record<string, unknown>[] }
  assert.equal(certificates[0]!['subject_alt_names'], 'URI:spiffe://cluster.local/ns/default/sa/web')
  assert.ok(Number(certificates[0]!['seconds_until_expiration']) > 86_000)
})

test('clusters come as text and as JSON, with the health of each host', async () => {
  const host = { address: { host: '10.0.0.1', port: 80 }, name: '10.0.0.1:80', weight: 1, active: 2, workload: '', mutualTls: true, onResult() {} }
  await using admin = await adminWith({ clusters: () => [{ name: 'outbound|80||web', assignmentName: 'outbound|80||web', hosts: [{ ...host, health: 'healthy' }, { ...host, name: '10.0.0.2:80', health: 'unhealthy' }] }] })
  const text = (await ask(admin.port, '/clusters')).body
  assert.match(text, /^outbound\|80\|\|web::10.0.0.1:80::rq_active::2$/m)
  assert.match(text, /^outbound\|80\|\|web::10.0.0.2:80::health_flags::\/failed_eds_health$/m)
  const json = JSON.parse((await ask(admin.port, '/clusters?format=json')).body) as { cluster_statuses: { host_statuses: { health_status: unknown }[] }[] }
  assert.deepEqual(json.cluster_statuses[0]!.host_statuses[1]!.health_status, { eds_health_status: 'UNHEALTHY' })
})

test('stats can be filtered', async () => {
  await using admin = await adminWith({})
  assert.equal((await ask(admin.port, '/stats?usedonly')).body, 'listener.downstream_cx_total: 3\n')
  assert.equal((await ask(admin.port, '/stats?filter=cluster')).body, 'cluster.upstream_cx_total: 0\n')
  assert.match((await ask(admin.port, '/stats/prometheus')).body, /^x 1$/m)
})
