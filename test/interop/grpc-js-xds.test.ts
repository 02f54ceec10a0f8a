// grpc-js-xds, a real xDS client that is not Envoy: it asks for everything by name, one at a time, and then calls through
// what it got. The services that it calls are our own gRPC server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { Client, Metadata, credentials } from '@grpc/grpc-js'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import type { GrpcServer } from '../../src/control/serve/grpc.ts'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import { RouterSchema } from '../../src/proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpConnectionManagerSchema } from '../../src/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TypeName } from '../../src/xds/types.ts'
import { serveAds } from '../support/ads-world.ts'
import { FakeSource } from '../support/fake-source.ts'

const host = 'reviews.test:9080'
const ads = { configSourceSpecifier: { case: 'ads' as const, value: {} } }

/** Versions carry what varies: the cluster of a route, the port of an assignment. */
function encode(type: TypeName, name: string, version: string): Uint8Array {
  switch (type) {
    case 'LDS': {
      const manager = create(HttpConnectionManagerSchema, {
        routeSpecifier: { case: 'rds', value: { routeConfigName: 'routes', configSource: ads } },
        httpFilters: [{ name: 'router', configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) } }],
      })
      return toBinary(ListenerSchema, create(ListenerSchema, { name, apiListener: { apiListener: anyPack(HttpConnectionManagerSchema, manager) } }))
    }
    case 'RDS': {
      const action = { case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value: version } } }
      const routes = [{ match: { pathSpecifier: { case: 'prefix' as const, value: version === 'broken' ? 'no slash' : '' } }, ...(version === 'broken' ? {} : { action }) }]
      return toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name, virtualHosts: [{ name: 'all', domains: version === 'broken' ? ['a*b*c'] : ['*'], routes }] }))
    }
    case 'CDS':
      return toBinary(ClusterSchema, create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS }, edsClusterConfig: { edsConfig: ads } }))
    default: {
      const address = { address: { case: 'socketAddress' as const, value: { address: '127.0.0.1', portSpecifier: { case: 'portValue' as const, value: Number(version) } } } }
      const endpoint = { hostIdentifier: { case: 'endpoint' as const, value: { address } } }
      const endpoints = [{ locality: { region: 'r', zone: 'z' }, loadBalancingWeight: 1, lbEndpoints: [endpoint] }]
      return toBinary(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, { clusterName: name, endpoints }))
    }
  }
}

function backend(answer: string): Promise<GrpcServer> {
  return startGrpcServer({ plaintextPort: 0, methods: [{ kind: 'unary', path: '/test.Who/Am', handle: () => Promise.resolve(Buffer.from(answer)) }] })
}

function ask(client: Client): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/test.Who/Am', (bytes: Buffer) => bytes, String, Buffer.alloc(0), new Metadata(), { deadline: Date.now() + 10_000 }, (error, answer) => {
      if (error === null) resolve(answer ?? '')
      else reject(error)
    })
  })
}

/** Asks until the answer is what a change makes it. */
async function until(client: Client, wanted: string): Promise<void> {
  const limit = Date.now() + 10_000
  for (let answer = await ask(client); answer !== wanted; answer = await ask(client)) assert.ok(Date.now() < limit, `still ${answer}`)
}

test('a proxyless client finds a service, follows edits of its route and endpoints, and refuses what is broken', { timeout: 60_000 }, async (t) => {
  // The library's timers outlive its clients by ten seconds, which is no reason for the test to.
  const { setTimeout: start } = globalThis
  t.mock.method(globalThis, 'setTimeout', (run: () => void, ms?: number) => start(run, ms).unref())
  await using one = await backend('one')
  await using two = await backend('two')
  await using three = await backend('three')
  const portOf = (server: GrpcServer) => String(server.plaintextAddress!.port)
  const first = {
    LDS: { [host]: '1' }, RDS: { routes: 'v1' }, CDS: { v1: '1', v2: '1', other: '1' }, EDS: { v1: portOf(one), v2: portOf(two), other: portOf(three) },
  }
  const source = new FakeSource(first, encode)
  await using served = await serveAds(source)
  process.env['GRPC_XDS_BOOTSTRAP_CONFIG'] = JSON.stringify({
    xds_servers: [{ server_uri: new URL(served.url).host, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'proxyless', locality: {} },
  })
  const xds = await import('@grpc/grpc-js-xds')
  xds.register()
  const client = new Client(`xds:///${host}`, credentials.createInsecure())
  try {
    assert.equal(await ask(client), 'one')
    const rerouted = { ...first, RDS: { routes: 'v2' } }
    source.push(rerouted)
    await until(client, 'two')
    const moved = { ...rerouted, EDS: { ...first.EDS, v2: portOf(three) } }
    source.push(moved)
    await until(client, 'three')
    assert.deepEqual(source.record.filter((line) => line.startsWith('nacked')), [])
    const refusal = new Promise<void>((resolve) => {
      const check = (): void => void (source.record.some((line) => line.startsWith('nacked RDS')) ? resolve() : setTimeout(check, 10))
      check()
    })
    source.push({ ...moved, RDS: { routes: 'broken' } })
    await refusal
    assert.equal(await ask(client), 'three')
  } finally {
    client.close()
  }
})
