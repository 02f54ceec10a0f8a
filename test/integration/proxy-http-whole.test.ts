// The HTTP side in a whole proxy: listeners, routes, clusters and endpoints by xDS, and what happens to requests under
// way when each of them changes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { AggregatedConfigSourceSchema, ApiVersion } from '../../src/proto/gen/envoy/config/core/v3/config_source_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import { HttpConnectionManagerSchema } from '../../src/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Address } from '../../src/model/address.ts'
import { compileConnectionManager } from '../../src/proxy/http/connection-manager.ts'
import { openClusters } from '../../src/proxy/upstream/cluster-set.ts'
import { freePort } from '../support/hosts.ts'
import { httpFilters, routeTo, tableOf } from '../support/http-world.ts'
import { startProxyWorld } from '../support/proxy-world.ts'
import { RawPeer, ok, rawClient } from '../support/raw-peer.ts'
import type { RawConnection } from '../support/raw-peer.ts'
import { socketAddress, tcpListener, typed } from '../support/xds-messages.ts'

const ads = { resourceApiVersion: ApiVersion.V3, configSourceSpecifier: { case: 'ads' as const, value: create(AggregatedConfigSourceSchema) } }

const cluster = (name: string) => create(ClusterSchema, {
  name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS }, edsClusterConfig: { edsConfig: ads, serviceName: name },
})
const endpoints = (clusterName: string, ...hosts: Address[]) => create(ClusterLoadAssignmentSchema, {
  clusterName, endpoints: [{ lbEndpoints: hosts.map(({ host, port }) => ({ hostIdentifier: { case: 'endpoint' as const, value: { address: socketAddress(host, port) } } })) }],
})
const routes = (name: string) => create(RouteConfigurationSchema, { ...tableOf([routeTo(name)]), name: 'r' })
const listener = (port: number, serverName: string) => tcpListener('web', '127.0.0.1', port, { filterChains: [{ name: 'http', filters: [
  typed('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix: 'web', httpFilters, serverName, routeSpecifier: { case: 'rds', value: { routeConfigName: 'r', configSource: ads } },
  }),
] }] })

/** Requests one after the other, on a new connection when told to close; the answers are counted by body and server. */
async function load(address: Address, counts: Map<string, number>, goesOn: () => boolean): Promise<void> {
  let client: RawConnection | undefined
  while (goesOn()) {
    client ??= await rawClient(address)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(() => /\r\n\r\n(one|two)$/.test(client!.text) || client!.state !== 'open')
    const text = client.take()
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    const seen = `${/server: (\w+)/.exec(text)![1]} ${text.slice(-3)}`
    counts.set(seen, (counts.get(seen) ?? 0) + 1)
    if (!text.includes('connection: close')) continue
    client.socket.destroy()
    client = undefined
  }
  client?.socket.destroy()
}

test('routes, endpoints, clusters and listeners change under load, and no request fails', async () => {
  await using one = await RawPeer.start(() => ok('one'))
  await using two = await RawPeer.start(() => ok('two'))
  await using world = await startProxyWorld({
    upstreams: {},
    parts: {
      openUpstream: (secrets, dial) => openClusters({ secrets, dial }),
      compileHttp: (config, context) => compileConnectionManager(config, { ...context, random: Math.random }),
    },
  })
  const { control, proxy } = world
  const port = await freePort()
  control.send(ClusterSchema, [cluster('a'), cluster('b')])
  control.send(ClusterLoadAssignmentSchema, [endpoints('a', one.address), endpoints('b', two.address)])
  control.send(ListenerSchema, [listener(port, 'first')])
  control.send(RouteConfigurationSchema, [routes('a')])
  await proxy.whenReady
  const counts = new Map<string, number>()
  const until = async (seen: string) => {
    const before = counts.get(seen) ?? 0
    const deadline = Date.now() + 10_000
    while ((counts.get(seen) ?? 0) < before + 20) {
      assert.ok(Date.now() < deadline, `no "${seen}": ${JSON.stringify([...counts])}; ${control.nacks.join()}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  let goesOn = true
  const clients = Array.from({ length: 8 }, () => load({ host: '127.0.0.1', port }, counts, () => goesOn))
  const steps = (async () => {
    await until('first one')
    control.send(RouteConfigurationSchema, [routes('b')])
    await until('first two')
    control.send(ClusterLoadAssignmentSchema, [endpoints('b', one.address)])
    await until('first one')
    control.send(ListenerSchema, [listener(port, 'second')])
    await until('second one')
    control.send(RouteConfigurationSchema, [routes('a')])
    control.send(ClusterLoadAssignmentSchema, [endpoints('a', two.address)])
    await until('second two')
  })()
  await Promise.race([steps, ...clients])
  goesOn = false
  await Promise.all([steps, ...clients])
  assert.deepEqual(control.nacks, [])
})
