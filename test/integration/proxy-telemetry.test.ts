// What our control plane asks to be logged, and what Prometheus scrapes, over real sockets.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { accessLogs, noRouteLogs } from '../../src/control/translate/listener/access-log.ts'
import { meshSettings } from '../../src/control/mesh-settings.ts'
import { AccessLogSchema } from '../../src/proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { TcpProxySchema } from '../../src/proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import { ProxyTelemetry } from '../../src/proxy/telemetry/proxy-telemetry.ts'
import { LogFiles } from '../../src/telemetry/sink/log-files.ts'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { httpPeer } from '../support/http-peers.ts'
import { HttpWorld } from '../support/http-world.ts'
import { readPrometheus } from '../support/prometheus-text.ts'
import { startProxyWorld } from '../support/proxy-world.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { tcpListener, typed } from '../support/xds-messages.ts'

const settings = proxySettings({ name: 'web-1', namespace: 'shop', labels: { app: 'web' } })
const meshWith = (accessLogFile: string, accessLogEncoding: 'TEXT' | 'JSON' = 'TEXT') => meshSettings({ accessLogFile, accessLogEncoding })

async function logged(encoding: 'TEXT' | 'JSON', ...curl: string[]) {
  await using folder = await TempFolder.create()
  const path = join(folder.path, 'access.log')
  await using files = new LogFiles()
  await using peer = await httpPeer('hello')
  const telemetry = new ProxyTelemetry(settings, { sinks: files })
  const http = telemetry.http('outbound')
  const ended = Promise.withResolvers<void>()
  await using world = await HttpWorld.start({
    clusters: { up: [peer.address] },
    manager: { accessLog: accessLogs(meshWith(path, encoding)) },
    deps: { ...http, onExchangeEnd: (exchange) => { http.onExchangeEnd!(exchange); ended.resolve() } },
  })
  await world.curl('/a?b=c', ...curl)
  await ended.promise
  await files.close()
  return { text: await readFile(path, 'utf8'), peer: `127.0.0.1:${peer.address.port}`, metrics: readPrometheus(telemetry.prometheus(world.upstream.stats())) }
}

test("a request is one line of Istio's text format, and one request in the metrics", async () => {
  const { text, peer, metrics } = await logged('TEXT', '-A', 'me "x" 500', '-d', 'abc')
  const pattern = String.raw`^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "POST /a\?b=c HTTP/1\.1" 200 - via_upstream - "-" 3 5 \d+ \d+ "-" "me \\x22x\\x22 500" "[0-9a-f-]{36}" "127\.0\.0\.1:\d+" "${peer.replaceAll('.', '\\.')}" up 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ - -` + '\n$'
  assert.match(text, new RegExp(pattern))
  const requests = metrics.samples.filter(({ name }) => name === 'istio_requests_total')
  assert.deepEqual(requests.map(({ value, labels }) => [value, labels['source_workload'], labels['response_code']]), [[1, 'web-1', '200']])
})

test("a request is one object of Istio's JSON format, whatever the client wrote", async () => {
  const { text, peer } = await logged('JSON', '-A', 'Zoë "x"', '-H', 'x-forwarded-for: \\')
  const line = JSON.parse(text) as Record<string, unknown>
  assert.equal(text.trimEnd().includes('\n'), false)
  const { method, path, response_code: code, user_agent: agent, x_forwarded_for: from, upstream_host: host, response_flags: flags, bytes_sent: sent } = line
  assert.deepEqual({ method, path, code, agent, from, host, flags, sent }, { method: 'GET', path: '/a?b=c', code: 200, agent: 'Zoë "x"', from: '\\', host: peer, flags: '-', sent: 5 })
})

const fixed = (name: string) => create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC } })

test('TCP connections and connections that no chain takes are logged where their listener says, and counted', async () => {
  await using folder = await TempFolder.create()
  const path = join(folder.path, 'access.log')
  await using files = new LogFiles()
  await using backend = await namedServer('backend')
  const telemetry = new ProxyTelemetry(settings, { sinks: files })
  await using world = await startProxyWorld({
    upstreams: { c: backend.address },
    parts: { tcpHooks: telemetry.tcpHooks, listenerLog: telemetry.listenerLog, stats: () => telemetry.stats(files.stats()), prometheus: () => telemetry.prometheus([]) },
  })
  const port = await freePort()
  const accessLog = accessLogs(meshWith(path)).map((log) => create(AccessLogSchema, log))
  const proxyTo = typed('envoy.filters.network.tcp_proxy', TcpProxySchema, { statPrefix: 'c', clusterSpecifier: { case: 'cluster', value: 'c' }, accessLog })
  const listener = (chainPort: number) => tcpListener('l', '127.0.0.1', port, {
    filterChains: [{ name: 'tcp', filterChainMatch: { destinationPort: chainPort }, filters: [proxyTo] }], accessLog: noRouteLogs(meshWith(path)),
  })
  world.control.send(ClusterSchema, [fixed('c')])
  world.control.send(ListenerSchema, [listener(port)])
  await world.proxy.whenReady
  assert.equal(await converse(connect(port, '127.0.0.1'), 'abc'), 'backend:abc')
  world.control.send(ListenerSchema, [listener(port === 1 ? 2 : 1)])
  await converse(connect(port, '127.0.0.1'), '')
  await untilLines(files, path, 2)
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').map((line) => line.replace(/^\[[^\]]+\] /, ''))
  assert.match(lines[0]!, /^"- - -" 0 - - - "-" 3 11 \d+ - "-" "-" "-" "-" "127\.0\.0\.1:\d+" c 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ - -$/)
  assert.match(lines[1]!, /^"- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ - -$/)
  const scraped = readPrometheus(await (await fetch(`http://127.0.0.1:${world.proxy.adminPort}/stats/prometheus`)).text())
  const valueOf = (name: string) => scraped.samples.find((sample) => sample.name === name)?.value
  assert.deepEqual(['opened_total', 'closed_total'].map((end) => valueOf(`istio_tcp_connections_${end}`)), [1, 1])
  assert.deepEqual([valueOf('istio_tcp_received_bytes_total'), valueOf('istio_tcp_sent_bytes_total')], [3, 11])
  assert.match(await (await fetch(`http://127.0.0.1:${world.proxy.adminPort}/stats?filter=filesystem`)).text(), /^filesystem\.write_failed: 0$/m)
  telemetry.close()
})

/** The end of a connection is logged a moment after the client has seen it. */
async function untilLines(files: LogFiles, path: string, count: number): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    await files.flush()
    const lines = (await readFile(path, 'utf8')).split('\n').length - 1
    if (lines >= count) return
    if (Date.now() > deadline) throw new Error(`${lines} of ${count} lines`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('a listener or a tcp_proxy whose log cannot be served is rejected with the reason', async () => {
  await using files = new LogFiles()
  const telemetry = new ProxyTelemetry(settings, { sinks: files })
  await using world = await startProxyWorld({ upstreams: {}, parts: { tcpHooks: telemetry.tcpHooks, listenerLog: telemetry.listenerLog } })
  const port = await freePort()
  const nowhere = noRouteLogs(meshWith('/no/such/folder/access.log'))
  const filters = (accessLog: typeof nowhere) => [typed('envoy.filters.network.tcp_proxy', TcpProxySchema, { statPrefix: 'c', clusterSpecifier: { case: 'cluster', value: 'c' }, accessLog: accessLog.map((log) => create(AccessLogSchema, log)) })]
  world.control.send(ListenerSchema, [tcpListener('l', '127.0.0.1', port, { accessLog: nowhere, filterChains: [{ name: 'a', filters: filters([]) }] })])
  world.control.send(ListenerSchema, [tcpListener('l', '127.0.0.1', port, { filterChains: [{ name: 'a', filters: filters(nowhere) }] })])
  assert.equal(world.control.nacks.length, 2)
  for (const nack of world.control.nacks) assert.match(nack, /^listener l[:,] .*cannot open the access log \/no\/such\/folder\/access\.log; does its folder exist/)
})
