// proxy-status and proxy-config against servers that answer as the control plane's and the proxy's do.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { main } from '../../src/cli/main.ts'
import { captureIo } from '../support/capture-io.ts'

/** Serves fixed JSON by path. */
async function serve(pages: Readonly<Record<string, unknown>>) {
  const server = createServer((request, response) => {
    const page = pages[(request.url ?? '').split('?')[0]!]
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(page ?? 'no such page'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  }
}

async function run(...args: string[]) {
  const io = captureIo()
  const code = await main(args, io)
  return { code, out: io.out(), err: io.err() }
}

const type = { sent: 2, acked: 2, nacked: 0, generation: 7, state: 'SYNCED', error: '' }
const status = {
  proxies: [
    { node: 'sidecar~127.0.0.1~reviews-v1.default~default.svc.cluster.local', version: '1.0', connectedFor: '12s', types: { CDS: type, LDS: { ...type, state: 'ERROR', error: 'port taken' } } },
    { node: 'router~127.0.0.1~gateway.istio-system~istio-system.svc.cluster.local', version: '1.0', connectedFor: '9s', types: { CDS: type } },
  ],
}

test('proxy-status shows what each proxy has taken, and why it refuses', async () => {
  await using control = await serve({ '/debug/syncz': status })
  const text = await run('proxy-status', '--control', control.at)
  assert.match(text.out, /^NAME +TYPE +VERSION +CONNECTED +CDS +LDS +EDS +RDS +SDS\n/)
  assert.match(text.out, /reviews-v1\.default +sidecar +1\.0 +12s +SYNCED +ERROR +NOT_SENT/)
  assert.match(text.out, /reviews-v1\.default refuses LDS: port taken/)
  const json = await run('proxy-status', 'gateway', '--control', control.at, '-o', 'json')
  assert.deepEqual(JSON.parse(json.out), { proxies: [status.proxies[1]] })
})

const dump = {
  configs: [
    { '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump', dynamic_active_clusters: [
      { cluster: { name: 'outbound|9080|v1|reviews.default.svc.cluster.local', type: 'EDS', metadata: { filter_metadata: { trysail: { resource: 'DestinationRule/default/reviews' } } } } },
      { cluster: { name: 'PassthroughCluster', type: 'ORIGINAL_DST' } },
    ] },
    { '@type': 'type.googleapis.com/envoy.admin.v3.RoutesConfigDump', dynamic_route_configs: [
      { route_config: { name: '9080', virtual_hosts: [{ name: 'reviews.default.svc.cluster.local:9080', domains: ['reviews', 'reviews.default'], routes: [
        { match: { prefix: '/', headers: [{ name: 'end-user' }] }, route: { cluster: 'outbound|9080|v2|reviews.default.svc.cluster.local' } },
        { match: { path: '/x' }, route: { weighted_clusters: { clusters: [{ name: 'a', weight: 90 }, { name: 'b', weight: 10 }] } } },
      ] }] } },
    ] },
    { '@type': 'type.googleapis.com/envoy.admin.v3.EndpointsConfigDump', dynamic_endpoint_configs: [
      { endpoint_config: { cluster_name: 'outbound|9080||reviews.default.svc.cluster.local', endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 4000 } } } }] }] } },
    ] },
  ],
}

test('proxy-config shows clusters, routes and endpoints as tables, and as Envoy JSON', async () => {
  await using admin = await serve({ '/config_dump': dump })
  const show = async (...args: string[]) => (await run('proxy-config', ...args, '--admin', admin.at)).out
  assert.match(await show('clusters'), /reviews\.default\.svc\.cluster\.local +9080 +v1 +outbound +EDS +DestinationRule\/default\/reviews/)
  assert.match(await show('routes'), /9080 +reviews\.default\S+ +reviews and 1 more +\/\* with end-user +outbound\|9080\|v2\|/)
  assert.match(await show('routes'), /\/x +90 a, 10 b/)
  assert.match(await show('endpoints'), /127\.0\.0\.1:4000 +HEALTHY +outbound\|9080\|\|reviews/)
  const json = JSON.parse(await show('clusters', '--name', 'Pass', '-o', 'json')) as { name: string }[]
  assert.deepEqual(json.map(({ name }) => name), ['PassthroughCluster'])
  assert.equal(await show('listeners'), 'NAME   ADDRESS   PORT   CHAINS   DESTINATION\n')
})

test('an admin server that is not there is a finding, a malformed address is wrong usage', async () => {
  const gone = await run('proxy-config', 'routes', '--admin', '127.0.0.1:1')
  assert.equal(gone.code, 1)
  assert.match(gone.err, /^trysail proxy-config: no answer from http:\/\/127\.0\.0\.1:1\//)
  const malformed = await run('proxy-config', 'routes', '--admin', 'nowhere')
  assert.equal(malformed.code, 64)
  assert.match((await run('proxy-config', 'rotues')).err, /did you mean routes\?/)
})
