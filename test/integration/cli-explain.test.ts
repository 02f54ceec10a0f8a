// `trysail explain` from YAML to answer: Bookinfo's own mesh with one more document for each scenario.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Answer } from '../../src/cli/explain/answer.ts'
import { main } from '../../src/cli/main.ts'
import { captureIo } from '../support/capture-io.ts'

const root = join(import.meta.dirname, '../..')
const mesh = join(root, 'samples/bookinfo/mesh')

interface Asked {
  readonly from?: string
  readonly headers?: readonly string[]
}

const argumentsFor = (request: string, { from = 'default/productpage-v1', headers = [] }: Asked, ...more: readonly string[]): string[] =>
  ['explain', '-f', mesh, '-f', '-', '--from', from, '--request', request, ...headers.flatMap((one) => ['--header', one]), ...more]

async function run(yaml: string, request: string, asked: Asked = {}, ...more: readonly string[]) {
  const io = captureIo(yaml)
  const code = await main(argumentsFor(request, asked, ...more), io)
  return { code, out: io.out(), err: io.err() }
}

async function explain(yaml: string, request: string, asked: Asked = {}): Promise<Answer> {
  const { code, out, err } = await run(yaml, request, asked, '-o', 'json')
  assert.deepEqual([code, / error: /.exec(err)], [0, null], err)
  return JSON.parse(out) as Answer
}

function virtualService(spec: object, name = 'reviews', namespace = 'default'): string {
  return JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name, namespace }, spec })
}

const documents = (...all: readonly (string | object)[]): string =>
  all.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n---\n')

const reviews = (...http: readonly object[]): string => virtualService({ hosts: ['reviews'], http })
const to = (subset: string, weight?: number) => ({ destination: { host: 'reviews', subset }, ...(weight === undefined ? {} : { weight }) })
const reviewsHost = 'reviews.default.svc.cluster.local'
const istio = (kind: string, name: string, spec: object, namespace = 'default') =>
  ({ apiVersion: kind === 'PeerAuthentication' ? 'security.istio.io/v1' : 'networking.istio.io/v1', kind, metadata: { name, namespace }, spec })

const jason = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
  - name: for-jason
    match:
    - name: by-user
      headers: { end-user: { exact: jason } }
    route:
    - destination: { host: reviews, subset: v2 }
  - route:
    - destination: { host: reviews, subset: v1 }
`

test('a request that matches by header goes to its subset, and the answer names rule, match, file and line', async () => {
  const answer = await explain(jason, 'GET http://reviews:9080/reviews/1', { headers: ['end-user: jason'] })
  assert.deepEqual(answer.destinations, [{ host: reviewsHost, subset: 'v2', port: 9080, weight: 100, cluster: `outbound|9080|v2|${reviewsHost}` }])
  const { from, listener, virtualHost, matchedVirtualService, routeIndex, routeName, matchIndex, origin, considered } = answer
  assert.deepEqual([from, listener, virtualHost], ['default/productpage-v1', '0.0.0.0_9080', `${reviewsHost}:9080`])
  assert.deepEqual([matchedVirtualService, routeIndex, routeName, matchIndex], ['default/reviews', 0, 'for-jason.by-user', 0])
  assert.deepEqual([origin, considered], [{ file: '-', line: 10 }, []])
})

test('a request that misses a header goes on, and the answer says what was needed and what there was', async () => {
  const other = await explain(jason, 'GET http://reviews.default:9080/reviews/1', { headers: ['End-User: anna'] })
  assert.deepEqual([other.routeIndex, other.matchIndex, other.destinations[0]?.subset, other.origin], [1, null, 'v1', { file: '-', line: 14 }])
  assert.deepEqual(other.considered, [{
    route: 'http[0].match[0] for-jason.by-user of VirtualService default/reviews (-:10)',
    whyNot: 'needs: header end-user is "jason"; but it is "anna"',
  }])
})

test('a host is what the client would be told, by its namespace and its Sidecar; nobody tells of addresses, and of others their own resolvers', async () => {
  const api = istio('ServiceEntry', 'api', { hosts: ['api.example.com', '*.apis.example.com'], addresses: ['10.9.9.9', 'fd00::0:7'], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], resolution: 'STATIC', endpoints: [{ address: '127.0.0.9' }] })
  const six = istio('ServiceEntry', 'six', { hosts: ['six.example.com'], addresses: ['fd00::0:8'], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], resolution: 'STATIC', endpoints: [{ address: '127.0.0.9' }] })
  const sidecar = istio('Sidecar', 'default', { egress: [{ hosts: ['./reviews.default.svc.cluster.local'] }] })
  const told = async (host: string, yaml = documents(api), from = 'default/productpage-v1') => (await explain(yaml, `GET http://${host}/`, { from })).resolvesTo
  assert.deepEqual(await told('x.apis.example.com'), ['10.9.9.9'], 'of the family that it has')
  assert.deepEqual(await told('six.example.com', documents(six)), ['fd00::8'])
  assert.deepEqual(await told('reviews.default'), ['10.96.210.153'])
  assert.deepEqual(await told('details', documents(sidecar)), [], 'not imported')
  assert.deepEqual(await told('elsewhere.example.net'), [])
  assert.equal(await told('10.1.2.3'), null)
  assert.equal(await told('localhost', '', 'default/bookinfo-gateway'), null)
})

test('every key is there, in one order, whatever the answer is', async () => {
  const keys = [
    'from', 'request', 'resolvesTo', 'listener', 'protocol', 'tls', 'virtualHost', 'matchedVirtualService', 'routeIndex', 'routeName', 'matchIndex', 'destinations', 'timeout',
    'retries', 'faults', 'rewrite', 'redirect', 'directResponse', 'headers', 'mirrors', 'session', 'chosen', 'policy', 'endpoints', 'denied', 'status', 'passthrough', 'blocked',
    'considered', 'origin',
  ]
  for (const request of ['GET http://reviews:9080/', 'GET http://nobody.example/', 'GET https://nobody.example/', 'POST http://10.9.9.9:1/']) {
    assert.deepEqual(Object.keys(await explain('', request)), keys, request)
  }
  const refused = await explain('', 'GET http://x:1/', { from: 'default/bookinfo-gateway' })
  assert.deepEqual([Object.keys(refused), refused.listener, refused.status], [keys, null, null])
  assert.match(refused.considered[0]!.whyNot, /stands at port 8080; but the request goes to port 1/)
})

test('a service without VirtualService has its own route, with the mesh default policy', async () => {
  const answer = await explain('', 'GET http://details:9080/details/0')
  assert.deepEqual(answer.destinations.map(({ cluster }) => cluster), ['outbound|9080||details.default.svc.cluster.local'])
  assert.deepEqual([answer.matchedVirtualService, answer.routeIndex, answer.timeout, answer.status], [null, null, null, null])
  assert.equal(answer.retries?.attempts, 2)
  assert.match(answer.origin!.file, /bookinfo\.yaml$/)
  assert.deepEqual([answer.policy?.tls, answer.policy?.peerAuthentication, answer.policy?.endpoints], ['ISTIO_MUTUAL', 'PERMISSIVE', 1])
})

test('weights, timeout, retries, mirror, headers and rewrite are shown as they were written', async () => {
  const answer = await explain(reviews({
    match: [{ uri: { prefix: '/old' } }],
    rewrite: { uri: '/new', authority: 'reviews.example' },
    route: [to('v1', 75), to('v2', 25), to('v3', 0)],
    timeout: '2s',
    retries: { attempts: 3, perTryTimeout: '500ms', retryOn: '5xx' },
    mirrors: [{ destination: { host: 'reviews', subset: 'v3' }, percentage: { value: 12.5 } }],
    headers: { request: { set: { 'x-a': '1' }, add: { 'x-b': '2' }, remove: ['x-c'] }, response: { remove: ['server'] } },
  }), 'GET http://reviews:9080/old/books?id=1')
  assert.deepEqual(answer.destinations.map(({ subset, weight }) => [subset, weight]), [['v1', 75], ['v2', 25]])
  assert.deepEqual([answer.timeout, answer.retries], ['2s', { attempts: 3, perTryTimeout: '500ms', retryOn: '5xx' }])
  assert.deepEqual(answer.rewrite, { path: '/new/books?id=1', authority: 'reviews.example' })
  assert.deepEqual(answer.mirrors, [{ host: reviewsHost, subset: 'v3', percentage: 12.5 }])
  assert.deepEqual(answer.headers, {
    request: { set: { 'x-a': '1' }, add: { 'x-b': '2' }, remove: ['x-c'] }, response: { set: {}, add: {}, remove: ['server'] },
  })
})

test('faults are numbers and durations; an abort of all requests is a status', async () => {
  const fault = { delay: { fixedDelay: '2s', percentage: { value: 50 } }, abort: { httpStatus: 418, percentage: { value: 100 } } }
  const answer = await explain(reviews({ fault, route: [to('v1')] }), 'GET http://reviews:9080/')
  assert.deepEqual(answer.faults, {
    delay: { fixedDelay: '2s', percentage: 50 }, abort: { httpStatus: 418, grpcStatus: null, percentage: 100 },
  })
  assert.equal(answer.status, 418)
  const sometimes = await explain(reviews({ fault: { abort: { httpStatus: 500, percentage: { value: 0.5 } } }, route: [to('v1')] }), 'GET http://reviews:9080/')
  assert.deepEqual([sometimes.faults?.abort?.percentage, sometimes.faults?.delay, sometimes.status], [0.5, null, null])
})

test('a redirect and a direct response are answers of the mesh', async () => {
  const redirect = await explain(reviews({ redirect: { uri: '/there', authority: 'new.example', redirectCode: 302 } }), 'GET http://reviews:9080/here?q=1')
  assert.deepEqual(redirect.redirect, { code: 302, scheme: null, authority: 'new.example', port: null, path: '/there?q=1' })
  assert.deepEqual([redirect.status, redirect.destinations, redirect.policy], [302, [], null])
  const direct = await explain(reviews({ directResponse: { status: 503, body: { string: 'closed' } } }), 'GET http://reviews:9080/')
  assert.deepEqual([direct.directResponse, direct.status], [{ status: 503, body: 'closed' }, 503])
})

test('a subset that no DestinationRule has answers 503', async () => {
  const answer = await explain(reviews({ route: [to('v9')] }), 'GET http://reviews:9080/')
  assert.deepEqual([answer.status, answer.policy, answer.destinations[0]?.subset], [503, null, 'v9'])
  const text = await run(reviews({ route: [to('v9')] }), 'GET http://reviews:9080/')
  assert.match(text.out, /503: there is no such cluster \(flag NC\)/)
})

test('rules that no request matches leave the host without a route: 404', async () => {
  const answer = await explain(reviews({ match: [{ uri: { exact: '/only' } }], route: [to('v1')] }), 'GET http://reviews:9080/other')
  assert.deepEqual([answer.status, answer.matchedVirtualService, answer.virtualHost], [404, null, `${reviewsHost}:9080`])
  assert.match(answer.considered[0]!.whyNot, /path is "\/only"; but it is \/other/)
})

test('hosts that nobody declared pass through, or are blocked where only declared ones may be called', async () => {
  const open = await explain('', 'GET http://nobody.example:9080/')
  assert.deepEqual([open.passthrough, open.blocked, open.virtualHost, open.status], [true, false, 'allow_any', null])
  const opaque = await explain('', 'GET http://nobody.example/')
  assert.deepEqual([opaque.passthrough, opaque.listener, opaque.virtualHost], [true, 'virtualOutbound', null])
  const closed = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio', namespace: 'istio-system' }, data: { mesh: 'outboundTrafficPolicy: { mode: REGISTRY_ONLY }' } }
  const blocked = await explain(JSON.stringify(closed), 'GET http://nobody.example:9080/')
  assert.deepEqual([blocked.passthrough, blocked.blocked, blocked.status, blocked.virtualHost], [false, true, 502, 'block_all'])
  const reset = await explain(JSON.stringify(closed), 'GET http://nobody.example/')
  assert.deepEqual([reset.passthrough, reset.blocked, reset.status], [false, true, null])
})

test('a ServiceEntry makes a host known, over HTTP and as TLS that is passed on', async () => {
  const entry = istio('ServiceEntry', 'books', {
    hosts: ['books.example'], location: 'MESH_EXTERNAL', resolution: 'DNS',
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }, { number: 443, name: 'https', protocol: 'HTTPS' }],
  })
  const plain = await explain(JSON.stringify(entry), 'GET http://books.example/')
  assert.deepEqual([plain.destinations[0]?.cluster, plain.passthrough, plain.policy?.tls], ['outbound|80||books.example', false, 'DISABLE'])
  const secure = await explain(JSON.stringify(entry), 'GET https://books.example/')
  assert.deepEqual([secure.destinations[0]?.cluster, secure.virtualHost], ['outbound|443||books.example', null])
})

test('rules of a delegate are followed, and matched under its name', async () => {
  const root = virtualService({ hosts: ['reviews'], http: [{ match: [{ uri: { prefix: '/reviews' } }], delegate: { name: 'inner' } }] })
  const inner = virtualService({ http: [{ match: [{ headers: { beta: {} } }], route: [to('v3')] }, { route: [to('v1')] }] }, 'inner')
  const beta = await explain(documents(root, inner), 'GET http://reviews:9080/reviews/1', { headers: ['beta: yes'] })
  assert.deepEqual([beta.matchedVirtualService, beta.routeIndex, beta.destinations[0]?.subset], ['default/inner', 0, 'v3'])
  const alone = await explain(root, 'GET http://reviews:9080/reviews/1')
  assert.equal(alone.considered.some(({ whyNot }) => whyNot.includes('delegates to default/inner')), true)
})

test('a redirect with a status that cannot be sent is none, and says so; what follows it is reached', async () => {
  const rules = virtualService({ hosts: ['reviews'], http: [{ redirect: { uri: '/x', redirectCode: 304 } }, { route: [to('v1')] }] })
  const { routeIndex, considered } = await explain(rules, 'GET http://reviews:9080/reviews/1')
  assert.equal(routeIndex, 1)
  assert.deepEqual(considered.map(({ whyNot }) => whyNot), ['redirects with 304, which cannot be sent'])
})

test('a gateway takes requests from outside by its own hosts and ports', async () => {
  const page = await explain('', 'GET http://localhost:8080/productpage', { from: 'default/bookinfo-gateway' })
  assert.deepEqual([page.from, page.listener, page.matchedVirtualService, page.routeIndex, page.matchIndex], ['default/bookinfo-gateway', '0.0.0.0_8080', 'default/bookinfo', 0, 0])
  assert.deepEqual(page.destinations.map(({ cluster }) => cluster), ['outbound|9080||productpage.default.svc.cluster.local'])
  const missing = await explain('', 'GET http://localhost:8080/reviews', { from: 'default/bookinfo-gateway' })
  assert.deepEqual([missing.status, missing.considered.length], [404, 5])
})

test('without a Service a gateway listens on the very port of its server, and TLS is chosen by server name', async () => {
  const gateway = istio('Gateway', 'edge', { selector: { istio: 'edge' }, servers: [
    { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['shop.example'] },
    { port: { number: 443, name: 'https', protocol: 'HTTPS' }, hosts: ['shop.example'], tls: { mode: 'SIMPLE', credentialName: 'shop' } },
  ] })
  const shop = virtualService({ hosts: ['shop.example'], gateways: ['edge'], http: [{ route: [{ destination: { host: 'productpage' } }] }] }, 'shop')
  const yaml = documents(gateway, shop)
  const plain = await explain(yaml, 'GET http://shop.example/', { from: 'default/edge' })
  assert.deepEqual([plain.listener, plain.matchedVirtualService], ['0.0.0.0_80', 'default/shop'])
  const secure = await explain(yaml, 'GET https://shop.example/', { from: 'default/edge' })
  assert.deepEqual([secure.listener, secure.matchedVirtualService], ['0.0.0.0_443', 'default/shop'])
  const stranger = await explain(yaml, 'GET https://other.example/', { from: 'default/edge' })
  assert.deepEqual([stranger.listener, stranger.virtualHost, stranger.status], ['0.0.0.0_443', null, null])
  assert.match(stranger.considered[0]!.whyNot, /none of its filter chains takes TLS for that server name/)
  const stray = virtualService({ hosts: ['other.example'], gateways: ['edge'], http: [{ route: [{ destination: { host: 'productpage' } }] }] }, 'stray')
  const offered = await explain(documents(yaml, stray), 'GET http://other.example/', { from: 'default/edge' })
  assert.match(offered.considered[1]!.whyNot, /^Gateway default\/edge \(-:1\) offers shop\.example at this port$/)
  const unknown = await explain(yaml, 'GET http://other.example/', { from: 'default/edge' })
  assert.deepEqual([unknown.status, unknown.considered[0]?.whyNot], [404, 'is for shop.example; but the host is other.example'])
})

test('a server that redirects to HTTPS answers 301 over HTTP', async () => {
  const gateway = istio('Gateway', 'edge', { selector: { istio: 'edge' }, servers: [
    { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['shop.example'], tls: { httpsRedirect: true } },
  ] })
  const shop = virtualService({ hosts: ['shop.example'], gateways: ['edge'], http: [{ route: [{ destination: { host: 'productpage' } }] }] }, 'shop')
  const answer = await explain(documents(gateway, shop), 'GET http://shop.example/cart', { from: 'default/edge' })
  assert.deepEqual([answer.status, answer.redirect?.code, answer.redirect?.scheme, answer.redirect?.path], [301, 301, 'https', '/cart'])
})

test('what translation leaves out for a client is named with its reason', async () => {
  const whyNot = async (...all: readonly (string | object)[]): Promise<string> =>
    (await explain(documents(...all), 'GET http://reviews:9080/')).considered.map((one) => `${one.route} ${one.whyNot}`).join('\n')
  const v1 = { route: [to('v1')] }
  assert.match(await whyNot(reviews({ match: [{ sourceLabels: { app: 'ratings' } }], route: [to('v2')] }, v1)), /http\[0\]\.match\[0\] of VirtualService default\/reviews \(-:1\) needs: a client with labels app=ratings; but it has app=productpage/)
  assert.match(await whyNot(reviews({ match: [{ port: 80 }], route: [to('v2')] }, v1)), /needs: port 80; but the request goes to 9080/)
  assert.match(await whyNot(reviews({ match: [{ sourceNamespace: 'other' }], route: [to('v2')] }, v1)), /needs: a client of namespace other; but it is of default/)
  assert.match(await whyNot(reviews(v1, { name: 'late', route: [to('v2')] })), /http\[1\] of .* is never reached: http\[0\] takes every request/)
  assert.match(await whyNot(virtualService({ hosts: ['reviews'], gateways: ['bookinfo-gateway'], http: [v1] })), /is for default\/bookinfo-gateway; but workloads' own requests pass no gateway/)
  assert.match(await whyNot(reviews(v1), virtualService({ hosts: ['reviews'], http: [{ route: [to('v2')] }] }, 'second')), /default\/second .* VirtualService default\/reviews has the host/)
  assert.match(await whyNot(virtualService({ hosts: [reviewsHost], exportTo: ['.'], http: [v1] }, 'private', 'other')), /is not exported to namespace default/)
})

test('a service that the client cannot reach is named with its reason', async () => {
  const whyNot = async (yaml: string, request: string): Promise<string> =>
    (await explain(yaml, request)).considered.map((one) => `${one.route} ${one.whyNot}`).join('\n')
  assert.match(await whyNot('', 'GET http://reviews/'), /^Service default\/reviews \(.*bookinfo\.yaml:23\) has port 9080; but the request goes to port 80$/)
  const sidecar = istio('Sidecar', 'narrow', { egress: [{ hosts: ['./details.default.svc.cluster.local'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } })
  const narrow = documents(sidecar, reviews({ route: [to('v1')] }))
  assert.match(await whyNot(narrow, 'GET http://reviews:9080/'), /Service default\/reviews .* is not imported by Sidecar default\/narrow \(-:1\)\nVirtualService default\/reviews .* is not imported by Sidecar default\/narrow/)
  const blocked = await explain(narrow, 'GET http://reviews:9080/')
  assert.deepEqual([blocked.blocked, blocked.status], [true, 502])
})

test('TCP rules and TCP ports of services are explained too', async () => {
  const database = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db' }, spec: { clusterIP: '10.96.0.9', ports: [{ name: 'tcp', port: 5432 }, { name: 'tcp-old', port: 5433 }] } }
  const rule = virtualService({ hosts: ['db'], tcp: [{ match: [{ port: 5433 }], route: [{ destination: { host: 'db', port: { number: 5432 } } }] }] }, 'db')
  const plain = await explain(documents(database, rule), 'GET http://db:5432/')
  assert.deepEqual([plain.listener, plain.destinations[0]?.cluster, plain.matchedVirtualService], ['10.96.0.9_5432', 'outbound|5432||db.default.svc.cluster.local', null])
  const routed = await explain(documents(database, rule), 'GET http://db:5433/')
  assert.deepEqual([routed.listener, routed.destinations[0]?.cluster, routed.matchedVirtualService], ['10.96.0.9_5433', 'outbound|5432||db.default.svc.cluster.local', 'default/db'])
})

const edges = documents(
  istio('Gateway', 'edge', { selector: { istio: 'edge' }, servers: [
    { port: { number: 443, name: 'https', protocol: 'HTTPS' }, hosts: ['shop.example'], tls: { mode: 'MUTUAL', credentialName: 'shop' } },
    { port: { number: 8443, name: 'tls', protocol: 'TLS' }, hosts: ['*.pass.example'], tls: { mode: 'PASSTHROUGH' } },
  ] }),
  virtualService({ hosts: ['shop.example'], gateways: ['edge'], http: [{ route: [{ destination: { host: 'productpage' } }] }] }, 'shop'),
  virtualService({ hosts: ['*.pass.example'], gateways: ['edge'], tls: [
    { match: [{ sniHosts: ['a.pass.example'] }], route: [{ destination: { host: 'productpage' } }] },
    { match: [{ sniHosts: ['b.pass.example'], port: 8443 }], route: [{ destination: { host: 'details' } }] },
    { match: [{ sniHosts: ['b.pass.example'], port: 9443 }], route: [{ destination: { host: 'ratings' } }] },
  ] }, 'pass'),
)

test('a gateway that ends TLS says with what, and what it asks of the client', async () => {
  const { tls, protocol, matchedVirtualService } = await explain(edges, 'GET https://shop.example/', { from: 'default/edge' })
  assert.deepEqual([protocol, matchedVirtualService, tls?.endsHere, tls?.serverNames, tls?.clientCertificate], ['http', 'default/shop', true, ['shop.example'], 'required'])
  assert.deepEqual(tls?.secrets, ['kubernetes://shop', 'kubernetes://shop-cacert'])
  const plain = await explain(edges, 'GET http://shop.example:443/', { from: 'default/edge' })
  assert.deepEqual([plain.protocol, plain.destinations], [null, []])
  assert.equal(plain.considered[1]?.whyNot, 'is for server name shop.example; but the connection is not TLS')
})

test('a host that another server name stands for is misdirected', async () => {
  const gateway = istio('Gateway', 'edge', { selector: { istio: 'edge' }, servers: ['a', 'b'].map((name) => (
    { port: { number: 443, name: `https-${name}`, protocol: 'HTTPS' }, hosts: [`${name}.example`], tls: { mode: 'SIMPLE', credentialName: name } })) })
  const yaml = documents(gateway, virtualService({ hosts: ['a.example', 'b.example'], gateways: ['edge'], http: [{ route: [{ destination: { host: 'productpage' } }] }] }, 'both'))
  const own = await explain(yaml, 'GET https://b.example/', { from: 'default/edge' })
  assert.deepEqual([own.status, own.matchedVirtualService, own.tls?.secrets], [null, 'default/both', ['kubernetes://b']])
  const { out } = await run(yaml, 'GET https://b.example/', { from: 'default/edge' }, '--sni', 'a.example', '-o', 'json')
  const other = JSON.parse(out) as Answer
  assert.deepEqual([other.status, other.tls?.serverNames], [421, ['a.example']])
})

test('other localities are named with what they take, and what is left out for them', async () => {
  const at = (region: string, name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'topology.kubernetes.io/region': region } } })
  const pod = (name: string, node: string, app: string, podIP: string, ready = 'True') => ({
    apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app } }, spec: { nodeName: node, containers: [{ name: 'a', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: ready }] },
  })
  const yaml = (ready: string) => documents(
    at('eu', 'n1'), at('us', 'n2'), pod('web', 'n1', 'web', '10.1.0.1'), pod('near', 'n1', 'db', '10.1.0.2'), pod('new', 'n1', 'db', '10.1.0.4', ready), pod('far', 'n2', 'db', '10.1.0.3'),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db' }, spec: { clusterIP: '10.96.0.9', ports: [{ name: 'http', port: 80, targetPort: 8080 }], selector: { app: 'db' } } },
    istio('DestinationRule', 'db', { host: 'db', trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3 } } }),
  )
  const told = async (ready: string) => (await explain(yaml(ready), 'GET http://db/', { from: 'web' })).endpoints
    .map(({ workload, locality, priorityPercent, whyNot }) => [workload, locality, priorityPercent, whyNot])
  assert.deepEqual(await told('True'), [
    ['default/near', 'eu', 100, null], ['default/new', 'eu', 100, null], ['default/far', 'us', 0, 'has priority 1, for when others fail: priority 0 takes all requests'],
  ])
  assert.deepEqual(await told('False'), [
    ['default/near', 'eu', 70, null], ['default/new', 'eu', 70, 'is unhealthy, as the control plane says'], ['default/far', 'us', 30, null],
  ])
  assert.match((await run(yaml('False'), 'GET http://db/', { from: 'web' })).out, /priorities +0 \(eu\) takes 70%, 1 \(us\) takes 30%\n +left out +10\.1\.0\.4:8080 \(default\/new\) in eu is unhealthy/)
})

test('TLS rules are chosen by server name, and those for others or another port say so', async () => {
  const { protocol, matchedVirtualService, routeIndex, destinations, tls, considered } = await explain(edges, 'TLS b.pass.example:8443', { from: 'default/edge' })
  assert.deepEqual([protocol, matchedVirtualService, routeIndex, tls?.endsHere], ['tls', 'default/pass', 1, false])
  assert.deepEqual(destinations.map(({ host }) => host), ['details.default.svc.cluster.local'])
  assert.match(considered.map(({ route, whyNot }) => `${route} ${whyNot}`).join('\n'), /^filter chain of VirtualService default\/pass \(-:\d+\) is for server name a\.pass\.example; but the client sends b\.pass\.example\ntls\[2\]\.match\[0\] of VirtualService default\/pass \(-:\d+\) needs: port 9443; but the request goes to 8443$/)
  const stranger = await explain(edges, 'TLS c.pass.example:8443', { from: 'default/edge' })
  assert.deepEqual([stranger.protocol, stranger.destinations], [null, []])
})

const hashed = istio('DestinationRule', 'reviews', {
  host: 'reviews', trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } },
  subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })),
})

async function explainHashed(annotations: object, headers: readonly string[]): Promise<Answer> {
  const io = captureIo(documents(hashed, { ...istio('VirtualService', 'reviews', { hosts: ['reviews'], http: [{ route: [to('v1', 50), to('v2', 50)] }] }), metadata: { name: 'reviews', annotations } }))
  const files = ['bookinfo.yaml', 'processes.yaml'].flatMap((one) => ['-f', join(mesh, one)])
  const code = await main(['explain', ...files, '-f', '-', '--from', 'productpage-v1', '--request', 'GET http://reviews:9080/', ...headers.flatMap((one) => ['-H', one]), '-o', 'json'], io)
  assert.equal(code, 0, io.err())
  return JSON.parse(io.out()) as Answer
}

test('a session that decides the weights has one destination for each of its keys, and the same one every time', async () => {
  const sticky = { 'trysail.dev/sticky-weights': 'true' }
  const chosen = await Promise.all(Array.from({ length: 16 }, async (_, i) => (await explainHashed(sticky, [`x-user: ${i % 8}`])).chosen))
  assert.deepEqual(chosen.slice(0, 8), chosen.slice(8))
  assert.deepEqual(new Set(chosen.map((one) => one?.subset)), new Set(['v1', 'v2']))
  const { session, destinations, endpoints } = await explainHashed(sticky, ['x-user: anna'])
  assert.deepEqual([session?.by, session?.decidesWeights, typeof session?.hash], [['header x-user'], true, 'string'])
  assert.deepEqual(destinations.map(({ weight }) => weight), [50, 50])
  assert.equal(endpoints.length, 1)
})

test('without the annotation, or without the key, the destination is drawn and both have their endpoints', async () => {
  const drawn = await explainHashed({}, ['x-user: anna'])
  assert.deepEqual([drawn.chosen, drawn.session?.decidesWeights, drawn.endpoints.length], [null, false, 2])
  const keyless = await explainHashed({ 'trysail.dev/sticky-weights': 'true' }, [])
  assert.deepEqual([keyless.chosen, keyless.session?.hash, keyless.endpoints.length], [null, null, 2])
})

test('connections are explained by where they go and by their server name', async () => {
  const database = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db' }, spec: { clusterIP: '10.96.0.9', ports: [{ name: 'tcp', port: 5432 }] } }
  const answer = await explain(documents(database), 'TCP db:5432')
  assert.deepEqual([answer.request.method, answer.request.path, answer.listener, answer.chosen?.cluster], ['TCP', '', '10.96.0.9_5432', 'outbound|5432||db.default.svc.cluster.local'])
  const tls = await explain('', 'TLS reviews:9080')
  assert.deepEqual([tls.listener, tls.passthrough], ['0.0.0.0_9080', true])
  const page = await explain('', 'TCP localhost:8080', { from: 'default/bookinfo-gateway' })
  assert.deepEqual([page.listener, page.destinations, page.considered[0]?.whyNot], ['0.0.0.0_8080', [], 'its filter chain speaks HTTP: ask with an http URL'])
  const io = captureIo(documents(database))
  assert.equal(await main(['explain', '-f', mesh, '-f', '-', '--from', 'productpage-v1', '--request', 'TCP db:5432', '--sni', 'x'], io), 64)
  assert.match(io.err(), /--sni: tcp sends no server name/)
})

test('strict mutual TLS at the destination denies a client whose DestinationRule turns TLS off', async () => {
  const strict = istio('PeerAuthentication', 'strict', { mtls: { mode: 'STRICT' } })
  const mutual = await explain(JSON.stringify(strict), 'GET http://details:9080/')
  assert.deepEqual([mutual.denied, mutual.policy?.tls, mutual.policy?.peerAuthentication], [false, 'ISTIO_MUTUAL', 'STRICT'])
  const off = istio('DestinationRule', 'details-off', { host: 'details', trafficPolicy: { tls: { mode: 'DISABLE' } } })
  const denied = await explain(documents(strict, off), 'GET http://details:9080/')
  assert.deepEqual([denied.denied, denied.status, denied.policy?.tls], [
    { policy: 'PeerAuthentication/default/strict', rule: null, reason: 'it is STRICT, and the client sends plaintext: the connection is closed' }, 503, 'DISABLE',
  ])
})

test('a workload that is called by its own address is spoken to as by its service, where the client knows it', async () => {
  const strict = istio('PeerAuthentication', 'default', { mtls: { mode: 'STRICT' } })
  const open = istio('DestinationRule', 'plain', { host: 'reviews', trafficPolicy: { tls: { mode: 'DISABLE' } } })
  const { endpoints: [one] } = await explain(documents(strict), 'GET http://reviews:9080/')
  const at = one!.address
  for (const request of [`GET http://${at}/`, `TCP ${at}`]) {
    const { passthrough, policy, chosen, endpoints, denied } = await explain(documents(strict), request)
    assert.deepEqual([passthrough, policy?.tls, policy?.peerAuthentication, denied], [true, 'ISTIO_MUTUAL', 'STRICT', false], request)
    assert.deepEqual([chosen?.cluster, chosen?.endpoint], ['PassthroughCluster', at])
    assert.deepEqual(endpoints.map(({ cluster, workload }) => [cluster, workload]), [[`outbound|9080||${reviewsHost}`, one!.workload]])
  }
  assert.match((await run('', `GET http://${at}/`)).out, /goes to +the address that the client asked for: known mesh endpoint of reviews\.default\.svc\.cluster\.local:9080 \(default\/reviews-v\d\), mutual TLS\n/)
  const plain = await explain(documents(open), `GET http://${at}/`)
  assert.deepEqual([plain.passthrough, plain.policy?.tls, plain.endpoints], [true, 'DISABLE', []])
})

test('a port that a policy keeps in plaintext is called in plaintext, and refuses a client that insists on mutual TLS', async () => {
  const plain = istio('PeerAuthentication', 'plain', { selector: { matchLabels: { app: 'details' } }, mtls: { mode: 'DISABLE' } })
  const automatic = await explain(JSON.stringify(plain), 'GET http://details:9080/')
  assert.deepEqual([automatic.policy?.tls, automatic.policy?.peerAuthentication, automatic.denied], ['DISABLE', 'DISABLE', false])
  const insists = istio('DestinationRule', 'details-mutual', { host: 'details', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } })
  const denied = await explain(documents(plain, insists), 'GET http://details:9080/')
  assert.equal(denied.denied && denied.denied.policy, 'PeerAuthentication/default/plain')
})

test('a Deployment stands for Pods that are not in the files', async () => {
  const deployment = (spec: object) => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'batch' }, spec: { template: spec } })
  const yaml = documents(
    deployment({ metadata: { labels: { app: 'batch' } }, spec: { serviceAccountName: 'batch', containers: [] } }),
    reviews({ match: [{ sourceLabels: { app: 'batch' } }], route: [to('v3')] }, { route: [to('v1')] }),
  )
  const answer = await explain(yaml, 'GET http://reviews:9080/', { from: 'default/batch' })
  assert.deepEqual([answer.from, answer.destinations[0]?.subset], ['default/batch', 'v3'])
})

test('mistakes of the command line exit with 64, all at once', async () => {
  const io = captureIo()
  const code = await main(['explain', '-f', mesh, '--from', 'default/x', '--request', 'GET ftp://reviews/', '--header', 'nocolon'], io)
  assert.equal(code, 64)
  assert.match(io.err(), /only http and https are served, and connections by tcp and tls, not ftp\n.*--header must be NAME:VALUE/)
  const unknown = await run('', 'GET http://reviews:9080/', { from: 'default/produtpage-v1' })
  assert.deepEqual([unknown.code, unknown.out], [64, ''])
  assert.match(unknown.err, /no Pod, Process, Deployment or Gateway is named default\/produtpage-v1; did you mean default\/productpage-v1\?/)
})

test('an invalid resource is reported with its place and left out, and the answer still comes', async () => {
  const { code, out, err } = await run(virtualService({ hosts: ['reviews'], http: [{ rout: [] }] }), 'GET http://reviews:9080/', {}, '-o', 'json')
  assert.equal(code, 1)
  assert.match(err, /^-:1: error: VirtualService\/default\/reviews: spec\.http\[0\]/m)
  assert.equal((JSON.parse(out) as Answer).matchedVirtualService, null)
})

test('the program answers people in words, with the file and line of what matched and of what did not', async () => {
  const { code, stdout } = await spawned(argumentsFor('GET http://reviews:9080/reviews/1', {}), jason)
  assert.equal(code, 0)
  assert.equal(stdout, `GET http://reviews:9080/reviews/1 from default/productpage-v1

  name       reviews is 10.96.210.153, where look-ups are captured
  matched    VirtualService default/reviews http[1] (-:14)
  goes to    ${reviewsHost}:9080 subset v1  [outbound|9080|v1|${reviewsHost}]
  retries    2, on connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
  policy     LEAST_REQUEST, mutual TLS ISTIO_MUTUAL (the destination asks for PERMISSIVE), 1 endpoint, DestinationRule default/reviews
  by way of  listener 0.0.0.0_9080, virtual host ${reviewsHost}:9080

Not taken:
  http[0].match[0] for-jason.by-user of VirtualService default/reviews (-:10)
    needs: header end-user is "jason"; but it is absent
`)
})

function spawned(args: readonly string[], input: string): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [join(root, 'bin/trysail.js'), ...args], { timeout: 60_000 }, (error, stdout) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout }))
    child.stdin!.end(input)
  })
}
