import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { MeshError } from '../lib/errors.ts'
import { ClusterSchema, Cluster_DiscoveryType } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteConfiguration } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import { HttpConnectionManagerSchema } from '../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { DownstreamTlsContextSchema } from '../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { SecretSchema } from '../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { CompiledRoutes } from './http/router/compile.ts'
import { compileListener } from './listen/compile.ts'
import type { CompiledListener } from './listen/compile.ts'
import { Planner } from './plan.ts'
import type { Plan } from './plan.ts'
import { nackText } from './plan-updates.ts'
import type { WantedNames } from './plan-updates.ts'
import { createAuthority } from '../../test/support/certificates.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { SecretStore } from './xds/secret.ts'

const eds = (name: string): Cluster =>
  create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS } })

const zoneAware = (name: string, percent = 100): Cluster =>
  create(ClusterSchema, {
    name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    commonLbConfig: { localityConfigSpecifier: { case: 'zoneAwareLbConfig', value: { routingEnabled: { value: percent } } } },
  })

const fixed = (name: string): Cluster =>
  create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC } })

const assignment = (clusterName: string) => create(ClusterLoadAssignmentSchema, { clusterName })

const routes = (name: string, ...clusters: string[]): RouteConfiguration =>
  create(RouteConfigurationSchema, {
    name,
    virtualHosts: [{ name: 'all', domains: ['*'], routes: clusters.map((value) => ({ action: { case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value } } } })) }],
  })

function listener(name: string, routeName: string, over: { port?: number; secret?: string } = {}): Listener {
  const http = create(HttpConnectionManagerSchema, { statPrefix: 'test', routeSpecifier: { case: 'rds', value: { routeConfigName: routeName } } })
  const tls = over.secret === undefined ? undefined : create(DownstreamTlsContextSchema, {
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: over.secret }] },
  })
  return create(ListenerSchema, {
    name,
    address: { address: { case: 'socketAddress', value: { address: '0.0.0.0', portSpecifier: { case: 'portValue', value: over.port ?? 80 } } } },
    filterChains: [{
      filters: [{ name: 'http', configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, http) } }],
      ...(tls === undefined ? {} : { transportSocket: { name: 'tls', configType: { case: 'typedConfig' as const, value: anyPack(DownstreamTlsContextSchema, tls) } } }),
    }],
  })
}

function setUp() {
  const clock = manualClock(0)
  const stored: string[][] = []
  const plans: Plan[] = []
  const wanted: WantedNames[] = []
  const secrets = new SecretStore({ certificate: () => undefined, trust: () => undefined, onChange: () => () => {} })
  const compile = (message: Listener, previous: CompiledListener | undefined) => compileListener(message, previous, {
    compileTls: ({ tls }) => tls === undefined ? undefined : {
      secretNames: tls.commonTlsContext!.tlsCertificateSdsSecretConfigs.map(({ name }) => name), problem: '', current: () => undefined,
    },
    compileService: () => ({ serve() {}, drain() {}, close() {}, active: 0 }),
  })
  const planner = new Planner({
    clock, secrets,
    clusters: {
      update(clusters) {
        const bad = clusters.find(({ name }) => name.startsWith('bad'))
        if (bad !== undefined) throw new MeshError('proxy/bad-config', `cluster ${bad.name}: its policy is unknown`)
        stored.push(clusters.map(({ name }) => name))
      },
      updateEndpoints() {},
    },
    compileRoutes(config) {
      if (config.name.startsWith('bad')) throw new MeshError('proxy/bad-config', `route table ${config.name}: bad regex`)
      return { name: config.name } as unknown as CompiledRoutes
    },
    compileListener: compile,
    onPlan: (plan) => plans.push(plan),
    onWanted: (names) => wanted.push(names),
  })
  return { clock, planner, plans, stored, wanted, secrets }
}

const changed = <Message>(...messages: Message[]) => ({ changed: messages, removed: [] })
const removed = (...names: string[]) => ({ changed: [], removed: names })

test('a listener serves once its route table is there, and the table once its clusters have endpoints', () => {
  const { planner, wanted } = setUp()
  planner.updateClusters(changed(eds('reviews')))
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'reviews')))
  assert.equal(planner.plan.listeners.size, 0)
  assert.equal(planner.ready, false)
  assert.deepEqual(wanted.at(-1), { endpoints: ['reviews'], routes: ['80'], secrets: [] })
  planner.updateEndpoints(changed(assignment('reviews')))
  assert.deepEqual([...planner.plan.listeners.keys()], ['l'])
  assert.equal(planner.ready, true)
})

test('a cluster that balances by zones makes the proxy ask for those like it, and wait for none of them', () => {
  const { planner, wanted } = setUp()
  planner.updateClusters(changed(zoneAware('off', 0)))
  assert.deepEqual(wanted.at(-1)?.endpoints, [])
  planner.updateClusters(changed(zoneAware('on')))
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'on')))
  assert.deepEqual(wanted.at(-1)?.endpoints, ['local_cluster'])
  assert.equal(planner.ready, true)
  planner.updateEndpoints(changed(assignment('local_cluster')))
  planner.updateClusters(removed('on'))
  assert.deepEqual(wanted.at(-1)?.endpoints, [])
})

test('a changed route table goes on serving its old version until a new cluster is warm', () => {
  const { planner } = setUp()
  planner.updateClusters(changed(fixed('v1')))
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'v1')))
  planner.updateClusters(changed(eds('v2')))
  planner.updateRoutes(changed(routes('80', 'v2')))
  assert.deepEqual(planner.plan.routes.get('80')!.clusterNames, ['v1'])
  planner.updateEndpoints(changed(assignment('v2')))
  assert.deepEqual(planner.plan.routes.get('80')!.clusterNames, ['v2'])
})

test('what never arrives is waited for 15 seconds and no longer', () => {
  const { planner, clock } = setUp()
  planner.updateClusters(changed(eds('reviews')))
  planner.updateListeners(changed(listener('l', 'never')))
  clock.pass(14_999)
  assert.equal(planner.ready, false)
  clock.pass(1)
  assert.equal(planner.plan.listeners.size, 1)
  assert.equal(planner.ready, true)
})

test('a route to a cluster that does not exist does not wait: its requests get NC', () => {
  const { planner } = setUp()
  planner.updateClusters(changed())
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'missing')))
  assert.equal(planner.plan.listeners.size, 1)
})

test('bad resources are rejected by name and the others of the update are taken', () => {
  const { planner, stored } = setUp()
  const clusters = planner.updateClusters(changed(fixed('a'), fixed('bad-1'), fixed('b'), fixed('bad-2')))
  assert.equal(nackText(clusters), 'cluster bad-1: its policy is unknown; cluster bad-2: its policy is unknown')
  assert.deepEqual(stored.at(-1), ['a', 'b'])
  const broken = create(ListenerSchema, { name: 'broken' })
  assert.match(nackText(planner.updateListeners(changed(broken, listener('l', '80'))))!, /^listener broken: needs a TCP address/)
  assert.match(nackText(planner.updateRoutes(changed(routes('bad', 'a'), routes('80', 'a'))))!, /^route table bad: bad regex$/)
  assert.deepEqual([...planner.plan.listeners.keys()], ['l'])
})

test('a rejected version leaves the last good one in force', () => {
  const { planner, stored } = setUp()
  planner.updateClusters(changed(fixed('a')))
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'a')))
  const before = planner.plan.listeners.get('l')
  const broken = create(ListenerSchema, { ...listener('l', '80'), filterChains: [] })
  assert.match(nackText(planner.updateListeners(changed(broken)))!, /listener l \(0.0.0.0:80\): no filter chain/)
  assert.equal(planner.plan.listeners.get('l'), before)
  assert.deepEqual(stored.at(-1), ['a'])
})

test('a cluster that is taken away lives on while a route in force names it', () => {
  const { planner, stored } = setUp()
  planner.updateClusters(changed(fixed('v1'), fixed('v2')))
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'v1')))
  planner.updateClusters(removed('v1'))
  assert.deepEqual(stored.at(-1), ['v2', 'v1'])
  planner.updateRoutes(changed(routes('80', 'v2')))
  assert.deepEqual(stored.at(-1), ['v2'])
})

test('a cluster that is taken away for good ends after the grace, even if a route still names it', () => {
  const { planner, stored, clock } = setUp()
  planner.updateClusters(changed(fixed('v1')))
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80', 'v1')))
  planner.updateClusters(removed('v1'))
  clock.pass(15_000)
  assert.deepEqual(stored.at(-1), [])
})

test('an update of one listener shares the unchanged chains and the other listeners', () => {
  const { planner } = setUp()
  planner.updateClusters(changed())
  planner.updateListeners(changed(listener('a', '80'), listener('b', '80', { port: 81 })))
  planner.updateRoutes(changed(routes('80')))
  const before = planner.plan
  planner.updateListeners(changed(listener('a', '80', { port: 82 })))
  assert.notEqual(planner.plan, before)
  assert.equal(planner.plan.listeners.get('b'), before.listeners.get('b'))
  assert.equal(planner.plan.listeners.get('a')!.chains[0], before.listeners.get('a')!.chains[0])
  assert.equal(before.listeners.get('a')!.address.port, 80, 'the old plan is as it was')
})

test('a listener with TLS waits for its certificate', () => {
  const { planner, wanted } = setUp()
  planner.updateClusters(changed())
  planner.updateListeners(changed(listener('gw', '443', { secret: 'kubernetes://cert' })))
  planner.updateRoutes(changed(routes('443')))
  assert.equal(planner.plan.listeners.size, 0)
  assert.deepEqual(wanted.at(-1)!.secrets, ['kubernetes://cert'])
  const pem = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
  const { chain, key } = createAuthority().issue('DNS:a.test')
  planner.updateSecrets(changed(create(SecretSchema, {
    name: 'kubernetes://cert', type: { case: 'tlsCertificate', value: { certificateChain: pem(chain), privateKey: pem(key) } },
  })))
  assert.equal(planner.plan.listeners.size, 1)
})

test('a listener does not wait for a certificate that the control plane has not got, or that cannot be used', () => {
  const pem = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
  const rubbish = create(SecretSchema, { name: 'kubernetes://cert', type: { case: 'tlsCertificate', value: { certificateChain: pem('chain'), privateKey: pem('key') } } })
  for (const answer of [{ changed: [], removed: ['kubernetes://cert'] }, changed(rubbish)]) {
    const { planner } = setUp()
    planner.updateClusters(changed())
    planner.updateListeners(changed(listener('gw', '443', { secret: 'kubernetes://cert' })))
    planner.updateRoutes(changed(routes('443')))
    const reason = nackText(planner.updateSecrets(answer))
    assert.equal(reason?.includes('there is no certificate in PEM') ?? false, answer.changed.length > 0)
    assert.equal(planner.plan.listeners.size, 1)
  }
})

test('a certificate that cannot be used leaves the last good one in use', () => {
  const pem = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
  const authority = createAuthority()
  const [good, other] = [authority.issue('DNS:a.test'), authority.issue('DNS:a.test')]
  const { planner, secrets } = setUp()
  const secret = (chain: string, key: string) => changed(create(SecretSchema, { name: 'x', type: { case: 'tlsCertificate', value: { certificateChain: pem(chain), privateKey: pem(key) } } }))
  assert.deepEqual(planner.updateSecrets(secret(good.chain, good.key)), [])
  assert.match(nackText(planner.updateSecrets(secret(other.chain, good.key)))!, /secret x: the key does not belong to the certificate/)
  assert.deepEqual(secrets.certificate('x'), good)
})

test('the control plane cannot replace the identity of the proxy', () => {
  const { planner } = setUp()
  const pem = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
  const rejections = planner.updateSecrets(changed(create(SecretSchema, { name: 'ROOTCA', type: { case: 'validationContext', value: { trustedCa: pem('roots') } } })))
  assert.match(nackText(rejections)!, /ROOTCA: the proxy's own identity/)
})

test('a secret from a file is refused: a control plane does not read the files of a proxy', () => {
  const { planner } = setUp()
  const file = { specifier: { case: 'filename' as const, value: '/etc/passwd' } }
  const rejections = planner.updateSecrets(changed(create(SecretSchema, { name: 'x', type: { case: 'tlsCertificate', value: { certificateChain: file, privateKey: file } } })))
  assert.match(nackText(rejections)!, /only inline data/)
})

test('a route table that is taken away while a listener names it goes on serving', () => {
  const { planner } = setUp()
  planner.updateClusters(changed())
  planner.updateListeners(changed(listener('l', '80')))
  planner.updateRoutes(changed(routes('80')))
  planner.updateRoutes(removed('80'))
  assert.ok(planner.plan.routes.has('80'))
  planner.updateListeners(removed('l'))
  assert.equal(planner.plan.routes.size, 0)
})
