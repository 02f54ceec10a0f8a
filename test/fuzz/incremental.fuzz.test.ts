// What the control plane keeps from push to push is never stale: after any edits, in any order and with any of them pushed
// together, every proxy has what a control plane that starts now would give it, of every type. And a proxy that is sent
// only what changed holds the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { worldSource } from '../../src/control/serve/world-source.ts'
import { meshSettings } from '../../src/control/mesh-settings.ts'
import type { World } from '../../src/control/snapshot.ts'
import { typeUrls } from '../../src/control/translate/table.ts'
import { WorldState } from '../../src/control/world-state.ts'
import type { ProxySession } from '../../src/control/world-state.ts'
import type { Resource } from '../../src/model/resource.ts'
import type { Service } from '../../src/model/service.ts'
import { DeltaSubscription } from '../../src/xds/delta-subscription.ts'
import { endpoint, resource, service, workload } from '../support/bookinfo-world.ts'

const namespace = fc.constantFrom('default', 'other', 'istio-system')
const shortName = fc.constantFrom('a', 'b', 'c', 'd')
const hosts = ['a', 'b.other.svc.cluster.local', 'c.default.svc.cluster.local', '*.example.com', 'd.example.com', 'alias', '*']
const host = fc.constantFrom(...hosts)
const exportTo = fc.constantFrom(undefined, ['.'], ['*'], ['other'])
const optional = <Value>(of: fc.Arbitrary<Value>) => fc.option(of, { nil: undefined })
const labels = fc.constantFrom({ app: 'a' }, { app: 'b' }, { version: 'v1' }, { version: 'v2' })

const destination = fc.record({ host, subset: optional(fc.constantFrom('v1', 'v2')) })
const http = fc.array(fc.record({
  match: optional(fc.constantFrom([{ uri: { prefix: '/x' } }], [{ sourceLabels: { app: 'a' } }], [{ port: 80 }])),
  // Weights always: what cannot be translated is held at an earlier version, which a new control plane has not.
  route: fc.array(fc.record({ destination, weight: fc.constantFrom(1, 2) }), { minLength: 1, maxLength: 2 }),
}), { minLength: 1, maxLength: 2 })
const virtualService = fc.record({
  hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }), exportTo, gateways: fc.constantFrom(undefined, ['mesh'], ['default/g'], ['mesh', 'default/g']),
  http: optional(http), tcp: optional(fc.constant([{ route: [{ destination: { host: 'a' } }] }])),
})
const delegating = fc.constantFrom({ hosts: ['a'], http: [{ match: [{ uri: { prefix: '/d' } }], delegate: { name: 'c', namespace: 'default' } }] }, { http: [{ route: [{ destination: { host: 'b.other.svc.cluster.local' } }] }] })
const policy = fc.record({
  connectionPool: optional(fc.record({ tcp: fc.record({ maxConnections: fc.constantFrom(1, 2) }) })),
  loadBalancer: optional(fc.constantFrom(
    { simple: 'RANDOM' }, { simple: 'PASSTHROUGH' }, { consistentHash: { useSourceIp: true } }, { localityLbSetting: { failoverPriority: ['app'] } },
    { localityLbSetting: { distribute: [{ from: 'r/*', to: { 'r/z1/*': 80, 'r/z2/*': 20 } }] } })),
  outlierDetection: optional(fc.constantFrom({ consecutive5xxErrors: 1 }, { minHealthPercent: 50 })),
})
const destinationRule = fc.record({
  host, exportTo, workloadSelector: optional(labels.map((matchLabels) => ({ matchLabels }))), trafficPolicy: optional(policy),
  subsets: fc.constantFrom([], [{ name: 'v1', labels: { version: 'v1' } }], [{ name: 'v1', labels: { version: 'v1' } }, { name: 'v2', labels: { version: 'v2' } }]),
})
const sidecar = fc.record({
  workloadSelector: optional(labels.map((one) => ({ labels: one }))),
  egress: fc.constantFrom([{ hosts: ['./*'] }], [{ hosts: ['*/*'] }], [{ hosts: ['other/*', './a.default.svc.cluster.local'] }], [{ port: { number: 80 }, hosts: ['*/*'] }]),
  outboundTrafficPolicy: optional(fc.constantFrom({ mode: 'REGISTRY_ONLY' }, { mode: 'ALLOW_ANY', egressProxy: { host: 'c', port: { number: 80 } } })),
})
const peerAuthentication = fc.record({ selector: optional(labels.map((matchLabels) => ({ matchLabels }))), mtls: fc.constantFrom({ mode: 'STRICT' }, { mode: 'DISABLE' }) })
const gateway = fc.record({
  selector: fc.constant({ istio: 'ingressgateway' }),
  servers: fc.constantFrom(
    [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }], [{ port: { number: 81, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] }],
    [{ port: { number: 15443, name: 'tls', protocol: 'TLS' }, hosts: ['*'], tls: { mode: 'AUTO_PASSTHROUGH' } }]),
})

type Rule = readonly [kind: string, spec: unknown]
const rule: fc.Arbitrary<Rule> = fc.oneof(
  { weight: 3, arbitrary: virtualService.map((spec): Rule => ['VirtualService', spec]) },
  delegating.map((spec): Rule => ['VirtualService', spec]),
  { weight: 3, arbitrary: destinationRule.map((spec): Rule => ['DestinationRule', spec]) },
  sidecar.map((spec): Rule => ['Sidecar', spec]),
  peerAuthentication.map((spec): Rule => ['PeerAuthentication', spec]),
  gateway.map((spec): Rule => ['Gateway', spec]),
)

const serviceInit = fc.record({
  exportTo, resolution: fc.constantFrom<Service['resolution']>('client-side', 'passthrough', 'dns', 'client-side'),
  ports: fc.constantFrom<Service['ports']>(
    [{ name: 'http', number: 80, protocol: 'HTTP', targetPort: 8080 }], [{ name: 'tcp', number: 80, protocol: 'TCP', targetPort: 8080 }],
    [{ name: 'any', number: 81, protocol: 'auto', targetPort: 8080 }, { name: 'http', number: 80, protocol: 'HTTP', targetPort: 8080 }]),
  annotations: fc.constantFrom({}, {}, { 'networking.istio.io/traffic-distribution': 'PreferSameNode' }, { 'networking.istio.io/traffic-distribution': 'PreferClose' }),
  selector: fc.constantFrom({ app: 'a' }, { app: 'b' }, undefined),
  external: fc.boolean(), aliasOf: fc.constantFrom(undefined, undefined, undefined, 'a.default.svc.cluster.local'),
})
const workloadInit = fc.record({
  labels: fc.record({ app: fc.constantFrom('a', 'b'), version: fc.constantFrom('v1', 'v2') }), zone: fc.constantFrom('', 'z1', 'z2'),
  node: fc.constantFrom('n1', 'n2'), mutualTls: fc.boolean(), serviceAccount: fc.constantFrom('one', 'two'),
})
const endpointInit = fc.record({ at: fc.integer({ min: 0, max: 3 }), health: fc.constantFrom<'healthy' | 'unhealthy'>('healthy', 'unhealthy') })

const edit = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('rule' as const), namespace, name: shortName, rule: optional(rule) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('service' as const), namespace, name: shortName, init: optional(serviceInit) }) },
  fc.record({ do: fc.constant('workload' as const), at: fc.integer({ min: 0, max: 3 }), init: workloadInit }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('endpoints' as const), namespace, name: shortName, all: fc.array(endpointInit, { maxLength: 3 }) }) },
  fc.record({ do: fc.constant('mesh' as const), config: fc.constantFrom({}, { enableAutoMtls: false }, { accessLogFile: '/dev/stdout' }) }),
  { weight: 6, arbitrary: fc.record({ do: fc.constant('push' as const) }) },
)
type Edit = typeof edit extends fc.Arbitrary<infer One> ? One : never

/** What the sources say: objects that are not edited stay what they are. */
class Sources {
  readonly #rules = new Map<string, Resource>()
  readonly #services = new Map<string, Service>()
  readonly #workloads = Array.from({ length: 4 }, (_, i) => workload(`w${i}`, `127.1.0.${i + 1}`, { app: i % 2 === 0 ? 'a' : 'b', version: 'v1' }))
  readonly #endpoints = new Map<string, World['endpoints']>()
  #mesh = meshSettings()

  apply(one: Exclude<Edit, { do: 'push' }>): void {
    const key = 'name' in one ? `${one.namespace}/${one.name}` : ''
    switch (one.do) {
      case 'rule':
        for (const known of this.#rules.keys()) if (known.endsWith(` ${key}`) && (one.rule === undefined || known.startsWith(one.rule[0]))) this.#rules.delete(known)
        if (one.rule !== undefined) this.#rules.set(`${one.rule[0]} ${key}`, resource(one.rule[0], one.name, clean(one.rule[1]), { namespace: one.namespace }))
        return
      case 'service':
        this.#services.delete(key)
        if (one.init !== undefined) this.#services.set(key, serviceOf(one.name, one.namespace, one.init))
        return
      case 'workload': {
        const { zone, ...init } = one.init
        const locality = zone === '' ? { region: '', zone: '', subzone: '' } : { region: 'r', zone, subzone: '' }
        this.#workloads[one.at] = workload(`w${one.at}`, `127.1.0.${one.at + 1}`, init.labels, { ...init, locality })
        return
      }
      case 'endpoints': {
        const of = this.#services.get(key)
        const places = one.all.map(({ at, health }) => ({ at: this.#workloads[at]!, health }))
        this.#endpoints.set(key, of === undefined ? [] : of.ports.flatMap(({ name }) => places.map(({ at, health }) =>
          endpoint(of, at, { servicePortName: name, health, locality: at.locality, mutualTls: at.mutualTls }))))
        return
      }
      case 'mesh':
        this.#mesh = meshSettings(one.config)
    }
  }

  get world(): World {
    return {
      resources: [...this.#rules.values()], services: [...this.#services.values()], workloads: [...this.#workloads],
      endpoints: [...this.#endpoints.values()].flat(), mesh: this.#mesh,
    }
  }
}

/** As it would be after parsing: what was not written is not there. */
const clean = (spec: unknown): unknown => JSON.parse(JSON.stringify(spec))

function serviceOf(name: string, ns: string, { external, aliasOf, exportTo: to, ...init }: typeof serviceInit extends fc.Arbitrary<infer One> ? One : never): Service {
  const common = { namespace: ns, exportTo: to ?? [], addresses: [`240.240.${name.charCodeAt(0)}.${ns.length}`], ...init }
  if (aliasOf !== undefined) return service(name, { ...common, hostname: `alias.${ns}.svc.cluster.local`, resolution: 'alias', aliasOf, addresses: [] })
  return service(name, external ? { ...common, registry: 'External', hostname: `${name}.example.com`, meshExternal: true } : common)
}

const nodes = [
  { id: 'sidecar~127.1.0.1~w0.default~default.svc.cluster.local', metadata: { LABELS: { app: 'a', version: 'v1' }, HTTP_PROXY_PORT: '15080' } },
  { id: 'sidecar~127.1.0.2~w1.default~default.svc.cluster.local', metadata: { LABELS: { app: 'b', version: 'v2' } } },
  { id: 'sidecar~127.1.0.9~x.default~default.svc.cluster.local', metadata: { LABELS: { app: 'b' } }, locality: { region: 'r', zone: 'z1' } },
  { id: 'sidecar~127.1.0.10~y.other~other.svc.cluster.local', metadata: { LABELS: { app: 'a' }, CLUSTER_ID: 'second', NETWORK: 'n' } },
  { id: 'router~127.1.0.11~g.default~default.svc.cluster.local', metadata: { LABELS: { istio: 'ingressgateway' } } },
  { id: 'router~127.1.0.12~h.istio-system~istio-system.svc.cluster.local', metadata: { LABELS: { istio: 'ingressgateway' }, NETWORK: 'n' } },
]

const types = Object.values(typeUrls)

const shown = (session: ProxySession, typeUrl: string): readonly string[] => session.all(typeUrl).map(({ name, version }) => `${name} ${version}`)

/** One proxy of a control plane that lives on, and what it was sent. */
class Client {
  readonly #session: ProxySession
  readonly #node: (typeof nodes)[number]
  readonly #subscriptions = new Map(types.map((type) => [type, new DeltaSubscription(true)]))
  readonly #held = new Map(types.map((type) => [type, new Map<string, string>()]))
  #nonce = 0

  constructor(state: WorldState, node: (typeof nodes)[number]) {
    this.#node = node
    this.#session = state.connect(node)
    for (const one of this.#subscriptions.values()) one.request({ subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', error: undefined })
    const source = worldSource(state)
    source.onPush((push) => {
      for (const type of types) if (state.affects(type, this.#session.node, state.snapshot)) this.#take(type)
      assert.ok(push.generation > 0)
    })
    for (const type of types) this.#take(type)
  }

  check(fresh: WorldState): void {
    const expected = fresh.connect(this.#node)
    for (const type of types) {
      const wanted = shown(expected, type)
      assert.deepEqual(shown(this.#session, type), wanted, `${this.#node.id} ${type}`)
      assert.deepEqual([...this.#held.get(type)!].map(([name, version]) => `${name} ${version}`).sort(), [...wanted].sort(), `sent to ${this.#node.id} ${type}`)
      for (const { name, version } of expected.all(type)) assert.equal(this.#session.get(type, name)?.version, version, `${this.#node.id} ${name}`)
    }
    expected.close()
  }

  #take(type: string): void {
    const subscription = this.#subscriptions.get(type)!
    const held = this.#held.get(type)!
    const current = { lists: () => this.#session.lists(type), get: (name: string) => this.#session.get(type, name) }
    for (const phase of ['make', 'break'] as const) {
      const response = subscription.next(current, phase)
      if (response === undefined) continue
      const nonce = `${++this.#nonce}`
      subscription.sent(response, nonce)
      for (const { name, version } of response.resources) held.set(name, version)
      for (const name of response.removed) held.delete(name)
      subscription.request({ subscribe: [], unsubscribe: [], initialVersions: {}, nonce, error: undefined })
    }
  }
}

test('after any edits every proxy has, and was sent, what a new control plane would give it', () => {
  fc.assert(fc.property(fc.array(edit, { minLength: 5, maxLength: 40, size: 'max' }), (edits) => {
    const sources = new Sources()
    const state = new WorldState()
    state.update(sources.world)
    const clients = nodes.map((node) => new Client(state, node))
    for (const one of [...edits, { do: 'push' } as const]) {
      if (one.do !== 'push') {
        sources.apply(one)
        continue
      }
      state.update(sources.world)
      const fresh = new WorldState()
      fresh.update(sources.world)
      for (const client of clients) client.check(fresh)
    }
  }), { numRuns: 60 })
})
