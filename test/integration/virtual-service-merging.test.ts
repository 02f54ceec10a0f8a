// Which VirtualService wins where several speak of a host, and what is left of each: from resources through translation into
// the proxy's own router, without sockets (traffic spec 1.1, 1.2.7 to 1.2.9, and the cases at its end).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { meshSettings } from '../../src/control/mesh-settings.ts'
import { createSnapshot } from '../../src/control/snapshot.ts'
import type { World } from '../../src/control/snapshot.ts'
import { readProxyNode } from '../../src/control/translate/proxy-node.ts'
import { ProxyResources } from '../../src/control/translate/proxy-resources.ts'
import { BuildCache } from '../../src/control/translate/translator.ts'
import type { Resource } from '../../src/model/resource.ts'
import { RouteConfigurationSchema } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import { compileRoutes, findRoute } from '../../src/proxy/http/router/compile.ts'
import type { CompiledRoute } from '../../src/proxy/http/router/compile.ts'
import { bookinfo, resource, service } from '../support/bookinfo-world.ts'
import { routedRequest } from '../support/routed-request.ts'
import type { RequestInit } from '../support/routed-request.ts'

const sidecarIn = (namespace: string, labels: Record<string, string> = { app: 'client' }) =>
  ({ id: `sidecar~127.1.0.9~client.${namespace}~${namespace}.svc.cluster.local`, metadata: { LABELS: labels } })
const gateway = { id: 'router~127.1.0.5~ingress.default~default.svc.cluster.local', metadata: { LABELS: { istio: 'ingressgateway' } } }

interface Asked extends RequestInit {
  readonly node?: Parameters<typeof readProxyNode>[0]
  readonly table?: string
  readonly mesh?: Parameters<typeof meshSettings>[0]
  readonly services?: World['services']
}

function routeOf(resources: readonly Resource[], { node = sidecarIn('default'), table = '9080', mesh = {}, services = [], ...request }: Asked): CompiledRoute | undefined {
  const base = bookinfo(...resources)
  const world: World = { ...base, services: [...base.services, ...services], mesh: meshSettings(mesh) }
  const built = new ProxyResources(readProxyNode(node), new BuildCache(), ({ message }) => assert.fail(message)).get('RDS', table, createSnapshot(world))
  if (built === undefined) return undefined
  const routed = routedRequest(request)
  const host = compileRoutes(fromBinary(RouteConfigurationSchema, built.bytes)).findVirtualHost(routed.authority)
  return host === undefined ? undefined : findRoute(host, routed, () => 0)
}

/** The name of the rule that takes a request, `default` for none of any VirtualService, `none` for 404. */
const ruleFor = (resources: readonly Resource[], asked: Asked): string => routeOf(resources, asked)?.name ?? 'none'

function clusterFor(resources: readonly Resource[], asked: Asked): string | undefined {
  const action = routeOf(resources, asked)?.action
  return action?.kind === 'forward' ? action.targets[0]!.clusterName : action?.kind
}

interface More {
  readonly created?: number
  readonly namespace?: string
  readonly gateways?: readonly string[]
  readonly exportTo?: readonly string[]
}

/** A VirtualService whose rules send to `details`; each is named after it, or by itself. */
function vs(name: string, hosts: readonly string[], { created = 0, namespace = 'default', gateways = ['mesh'], exportTo }: More = {}, http: readonly object[] = [{}]): Resource {
  const rules = http.map((rule) => ({ name, route: [{ destination: { host: 'details.default.svc.cluster.local' } }], ...rule }))
  return resource('VirtualService', name, { hosts, ...(hosts.length > 0 && { gateways }), http: rules, ...(exportTo !== undefined && { exportTo }) }, { created, namespace })
}

const reviews = { authority: 'reviews' }

test('at sidecars the older of two wins whole; without it the younger takes over', () => {
  const older = vs('older', ['reviews'], { created: 1 }, [{ match: [{ uri: { prefix: '/only' } }] }])
  const younger = vs('younger', ['reviews'], { created: 2 })
  assert.equal(ruleFor([younger, older].toSorted((a, b) => a.metadata.creationTimestamp! - b.metadata.creationTimestamp!), { ...reviews, path: '/only' }), 'older')
  assert.equal(ruleFor([older, younger], { ...reviews, path: '/x' }), 'none', 'the rules of the younger are not seen')
  assert.equal(ruleFor([younger], { ...reviews, path: '/x' }), 'younger')
})

test('at sidecars an exact host beats a wildcard, the longer wildcard a shorter one, whatever their age', () => {
  const all = vs('all', ['*.cluster.local'], { created: 1 })
  const near = vs('near', ['*.default.svc.cluster.local'], { created: 2 })
  const exact = vs('exact', ['reviews'], { created: 3 })
  assert.equal(ruleFor([all, near, exact], reviews), 'exact')
  assert.equal(ruleFor([all, near], reviews), 'near')
  assert.equal(ruleFor([all], reviews), 'all')
})

test('private before exported by name before public, each by age', () => {
  const everywhere = vs('public', ['reviews.default.svc.cluster.local'], { created: 1 })
  const named = vs('named', ['reviews.default.svc.cluster.local'], { created: 2, namespace: 'other', exportTo: ['default'] })
  const own = vs('private', ['reviews'], { created: 3, exportTo: ['.'] })
  assert.equal(ruleFor([everywhere, named, own], reviews), 'private')
  assert.equal(ruleFor([everywhere, named], reviews), 'named')
  assert.equal(ruleFor([everywhere], reviews), 'public')
  assert.equal(ruleFor([named, own], { authority: 'reviews.default', node: sidecarIn('third') }), 'default', 'neither is exported to there')
})

test('the mesh says to whom what has no exportTo is visible', () => {
  const rule = vs('rule', ['reviews.default.svc.cluster.local'], { namespace: 'other' })
  assert.equal(ruleFor([rule], reviews), 'rule')
  assert.equal(ruleFor([rule], { ...reviews, mesh: { defaultVirtualServiceExportTo: ['.'] } }), 'default')
})

test('a short name is of the namespace of its rule; a name with a dot stands for itself', () => {
  assert.equal(ruleFor([vs('short', ['reviews'], { namespace: 'other' })], reviews), 'default', 'reviews.other is another service')
  assert.equal(ruleFor([vs('dotted', ['reviews.default'])], reviews), 'default', 'it is not completed')
  assert.equal(clusterFor([vs('to', ['reviews'], {}, [{ route: [{ destination: { host: 'details' } }] }])], reviews), 'outbound|9080||details.default.svc.cluster.local')
  assert.equal(clusterFor([vs('to', ['reviews'], {}, [{ route: [{ destination: { host: 'details.default' } }] }])], reviews), 'outbound|9080||details.default', 'no such cluster: 503 NC')
})

test('every name of a service leads to it, with any port, in any case; the bare name only from its namespace', () => {
  const rule = [vs('rule', ['reviews'])]
  for (const authority of ['reviews', 'reviews:1', 'REVIEWS.default', 'reviews.default.svc', 'reviews.default.svc.cluster.local:9080', 'reviews.default.svc.cluster.local.', '240.240.0.1']) {
    assert.equal(ruleFor(rule, { authority }), 'rule', authority)
  }
  assert.equal(ruleFor(rule, { authority: 'reviews', node: sidecarIn('other') }), 'allow_any')
  assert.equal(ruleFor(rule, { authority: 'reviews.default', node: sidecarIn('other') }), 'rule')
})

test('gateways that do not name mesh leave sidecars alone; a rule for both serves both', () => {
  const edge = resource('Gateway', 'edge', { selector: { istio: 'ingressgateway' }, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] })
  const only = vs('only-edge', ['reviews.default.svc.cluster.local'], { gateways: ['edge'] })
  const both = vs('both', ['reviews.default.svc.cluster.local'], { gateways: ['mesh', 'edge'] })
  const atGateway = { authority: 'reviews.default.svc.cluster.local', node: gateway, table: 'http.80' }
  assert.equal(ruleFor([edge, only], reviews), 'default')
  assert.equal(ruleFor([edge, only], atGateway), 'only-edge')
  assert.equal(ruleFor([edge, both], reviews), 'both')
  assert.equal(ruleFor([edge, both], atGateway), 'both')
  assert.equal(ruleFor([edge, vs('elsewhere', ['a.test'], { gateways: ['other/edge'] })], { ...atGateway, authority: 'a.test' }), 'none')
})

test('at gateways rules of one host follow each other by age, what takes everything last; hosts are those of the server too', () => {
  const edge = resource('Gateway', 'edge', { selector: { istio: 'ingressgateway' }, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*.test', 'default/own.example'] }] })
  const older = vs('older', ['a.test'], { created: 1, gateways: ['edge'] }, [{ match: [{ uri: { prefix: '/old' } }], name: 'old' }, { name: 'catch-all' }])
  const younger = vs('younger', ['a.test', 'b.example'], { created: 2, gateways: ['edge'] }, [{ match: [{ uri: { prefix: '/api' } }], name: 'api' }, { match: [{ uri: { prefix: '/old/x' } }], name: 'hidden' }])
  const at = (path: string, authority = 'a.test') => ruleFor([edge, older, younger], { path, authority, node: gateway, table: 'http.80' })
  assert.deepEqual([at('/api/1'), at('/old/x'), at('/other'), at('/api', 'b.example'), at('/', 'c.test')], ['api', 'old', 'catch-all', 'none', 'none'])
  const foreign = vs('foreign', ['own.example'], { namespace: 'other', gateways: ['default/edge'] })
  assert.equal(ruleFor([edge, foreign], { authority: 'own.example', node: gateway, table: 'http.80' }), 'none', 'the server takes it from one namespace only')
})

test('a host that is no service counts on port 80 only', () => {
  const web = service('web', { addresses: ['240.240.0.9'], ports: [{ name: 'http', number: 80, protocol: 'HTTP', targetPort: 80 }] })
  const external = [vs('external', ['external.com'])]
  assert.equal(ruleFor(external, { authority: 'external.com', table: '80', services: [web] }), 'external')
  assert.equal(ruleFor(external, { authority: 'external.com' }), 'allow_any')
})

test('delegates: of other namespaces where they are exported, with both conditions; what is missing is skipped alone', () => {
  const root = (to: object) => resource('VirtualService', 'root', { hosts: ['reviews'], gateways: ['mesh'], http: [
    { name: 'api', match: [{ uri: { prefix: '/api' } }], timeout: 7000, delegate: to }, { name: 'rest', route: [{ destination: { host: 'reviews' } }] },
  ] })
  const leaf = (more: More = {}) => vs('leaf', [], { namespace: 'team', ...more }, [{ name: 'own', match: [{ headers: { x: { exact: '1' } } }] }, { name: 'conflict', match: [{ uri: { prefix: '/other' } }] }])
  const to = { name: 'leaf', namespace: 'team' }
  const asked = { ...reviews, path: '/api/1', headers: { x: '1' } }
  assert.equal(ruleFor([root(to), leaf()], asked), 'api-own')
  assert.equal(ruleFor([root(to), leaf()], { ...asked, headers: {} }), 'rest')
  assert.equal(ruleFor([root(to), leaf()], { ...asked, path: '/other' }), 'rest', 'the root gives away /api only')
  assert.equal(ruleFor([root(to), leaf({ exportTo: ['.'] })], asked), 'rest', 'not exported to the root')
  assert.equal(ruleFor([root(to), leaf({ exportTo: ['default'] })], asked), 'api-own')
  assert.equal(ruleFor([root({ name: 'gone' }), leaf()], asked), 'rest')
  const action = routeOf([root(to), leaf()], asked)?.action
  assert.equal(action?.kind === 'forward' ? action.timeoutMs : undefined, 7000, 'what the delegate leaves unset is the root\'s')
  assert.equal(ruleFor([leaf()], reviews), 'default', 'a delegate by itself has no effect')
})

test('retries are the rule\'s, else the mesh\'s, else Istio\'s; none at all with 0 attempts', () => {
  const retryOf = (resources: readonly Resource[], mesh: Asked['mesh'] = {}) => {
    const action = routeOf(resources, { ...reviews, mesh: mesh! })?.action
    const policy = action?.kind === 'forward' ? action.retry : undefined
    return policy === undefined ? 0 : policy.maxRetries
  }
  const rule = (retries?: object) => [vs('rule', ['reviews'], {}, [retries === undefined ? {} : { retries }])]
  assert.equal(retryOf(rule()), 2)
  assert.equal(retryOf([]), 2)
  assert.equal(retryOf(rule(), { defaultHttpRetryPolicy: { attempts: 5 } }), 5)
  assert.equal(retryOf([], { defaultHttpRetryPolicy: { attempts: 0 } }), 0)
  assert.equal(retryOf(rule({ attempts: 1 }), { defaultHttpRetryPolicy: { attempts: 5 } }), 1)
  assert.equal(retryOf(rule({ attempts: 0 })), 0)
})
