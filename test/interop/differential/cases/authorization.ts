// AuthorizationPolicies at the gateway, each for the host of its case, and at the workload, each for the port of its case:
// what is let in, what a client is told that is not, and what the log says.
import type { Ask, Case, Expected } from '../case.ts'
import { unlike } from '../case.ts'
import { accessLogFormat } from '../mesh-files.ts'

const policy = (name: string, spec: string, more = ''): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: $ns-${name}, namespace: edge${more} }
spec: ${spec}
---`

/** For the host of the case alone. */
const rule = (operation: string, more = ''): string => `{ to: [{ operation: { hosts: [$host, "$host:8080"]${operation === '' ? '' : `, ${operation}`} } }]${more === '' ? '' : `, ${more}`} }`
const allow = (...rules: readonly string[]): string => policy('allow', `{ rules: [${rules.join(', ')}] }`)
const deny = (...rules: readonly string[]): string => policy('deny', `{ action: DENY, rules: [${rules.join(', ')}] }`)

const matched = (name: string, index = 0): RegExp => new RegExp(`^rbac_access_denied_matched_policy\\[ns\\[edge\\]-policy\\[c\\d+-${name}\\]-rule\\[${index}\\]\\]$`)
const denied: Expected = { status: 403, body: 'RBAC: access denied', to: [], headers: { 'content-type': 'text/plain' }, flags: '-', details: 'rbac_access_denied_matched_policy[none]' }
const deniedBy = (name: string, index = 0): Expected => ({ ...denied, details: matched(name, index) })
const fine: Expected = { status: 200, to: ['a'] }

const gateway = (title: string, yaml: string, asks: readonly Ask[], more: Partial<Case> = {}): Case =>
  ({ title, role: 'gateway', http: '[{ route: [{ destination: { host: a } }] }]', yaml, asks, issues: /has nothing but attributes of HTTP|nobody/, ...more })

const get = (path: string, expect: Expected, more: Partial<Ask> = {}): Ask => ({ path, expect, ...more })
const raw = (path: string, expect: Expected): Ask => ({ raw: `GET ${path} HTTP/1.1\r\nhost: $host\r\nconnection: close\r\n\r\n`, expect })

/** Ours decides when a connection comes; Envoy connects upstream, and looks at it when its first bytes have come. */
const beforeAnythingElse = ['log.received', 'log.upstream']

const meshConfig = {
  accessLogFile: '/dev/stdout', accessLogFormat,
  extensionProviders: [{
    name: 'decider',
    envoyExtAuthzHttp: {
      service: 'decider.$ns.svc.cluster.local', port: 80, timeout: '1s', pathPrefix: '/check',
      includeRequestHeadersInCheck: ['x-shown', 'x-some-*'], includeAdditionalHeadersInCheck: { 'x-added': 'yes' },
      headersToUpstreamOnAllow: ['x-user', 'x-claim-*'], headersToDownstreamOnAllow: ['x-session'], headersToDownstreamOnDeny: ['x-why'],
    },
  }],
}

export const authorization: readonly Case[] = [
  gateway('methods and paths', allow(rule('methods: [GET, HEAD], paths: [/exact, "/prefix*", "*/suffix"]')), [
    get('/exact', fine), get('/exact?q=1', fine), get('/exact/', denied), get('/prefixed/x', fine), get('/a/suffix', fine), get('/a/suffix?x=/b', fine), get('/other?q=/exact', denied),
    get('/exact', denied, { method: 'POST', body: 'x' }), get('/exact', denied, { method: 'DELETE' }), get('/exact', { status: 200 }, { method: 'HEAD' }), get('/no', { status: 403, body: '' }, { method: 'HEAD' }),
  ]),
  gateway('a body that nobody will read', allow(rule('methods: [GET]')), [
    get('/', denied, { method: 'POST', body: 'x'.repeat(200_000) }), get('/', denied, { method: 'POST', body: 'chunked', chunked: true }),
    { raw: 'POST / HTTP/1.1\r\nhost: $host\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n', expect: { status: 403 }, ...unlike('who is refused needs to send no body', { status: 100, body: /403 Forbidden/ }) },
  ]),
  gateway('a DENY is stronger than an ALLOW, and the first rule by name is the one that is named', allow(rule('')) + deny(rule('paths: [/a*]'), rule('paths: [/ab*]')), [
    get('/', fine), get('/ax', deniedBy('deny')), get('/abc', deniedBy('deny')),
  ]),
  gateway('notPaths and notMethods', allow(rule('notPaths: [/healthz, "/private*"], notMethods: [POST]')), [get('/', fine), get('/healthz', denied), get('/private/a', denied), get('/', denied, { method: 'POST', body: '' })]),
  gateway('path templates', allow(rule('paths: ["/a/{*}/b", "/all/{**}", "/end/{**}/"]')), [
    get('/a/x/b', fine), get('/a//b', denied), get('/a/x/y/b', denied), get('/a/x/b/', denied), get('/all/', fine), get('/all/x/y', fine), get('/all', denied), get('/end/x/', fine), get('/end//', fine), get('/end/x', denied), get('/a/x=1;v.2~_-/b', fine),
  ]),
  gateway('a path cannot slip past by being written another way', allow(rule('')) + deny(rule('paths: [/admin, "/admin/*"]')), [
    raw('/admin', deniedBy('deny')), raw('/x/../admin', deniedBy('deny')), raw('/./admin', deniedBy('deny')), raw('/%61dmin', deniedBy('deny')), raw('\\admin', { status: 400 }), raw('/admin?x', deniedBy('deny')),
    raw('//admin', fine), raw('/admin%2fx', fine), raw('/ADMIN', fine), raw('/admin#x', { status: 400 }), raw('/x/..%2fadmin', fine),
  ]),
  gateway('hosts have no case, and their port counts', allow('{ to: [{ operation: { hosts: ["$host"], paths: [/] } }] }', '{ to: [{ operation: { hosts: ["*.EXAMPLE.com:8080"], paths: [/suffix] } }] }', '{ to: [{ operation: { hosts: ["$ns.*"], paths: [/prefix] } }] }'), [
    get('/', fine), get('/', fine, { host: '$NS.EXAMPLE.COM' }), get('/', denied, { host: '$host:8080' }), get('/suffix', fine, { host: '$host:8080' }), get('/suffix', denied), get('/prefix', fine), get('/prefix', fine, { host: '$host:8080' }),
  ]),
  gateway('headers: exact, prefix, suffix, presence', allow(
    rule('paths: [/exact]', 'when: [{ key: "request.headers[X-User]", values: [anna] }]'), rule('paths: [/prefix]', 'when: [{ key: "request.headers[x-user]", values: [an*] }]'),
    rule('paths: [/suffix]', 'when: [{ key: "request.headers[x-user]", values: ["*na"] }]'), rule('paths: [/any]', 'when: [{ key: "request.headers[x-user]", values: ["*"] }]'),
    rule('paths: [/not]', 'when: [{ key: "request.headers[x-user]", notValues: [bert] }]'),
  ), [
    get('/exact', fine, { headers: { 'x-user': 'anna' } }), get('/exact', denied, { headers: { 'x-user': 'Anna' } }), get('/exact', denied), get('/exact', fine, { headers: { 'x-user': ['bert', 'anna'] } }), get('/exact', denied, { headers: { 'x-user': 'bert, anna' } }), get('/not', denied, { headers: { 'x-user': ['anna', 'bert'] } }),
    get('/prefix', fine, { headers: { 'x-user': 'andrea' } }), get('/suffix', fine, { headers: { 'x-user': 'ina' } }), get('/any', fine, { headers: { 'x-user': '' } }), get('/any', denied),
    get('/not', fine), get('/not', denied, { headers: { 'x-user': 'bert' } }),
  ]),
  gateway('addresses: what a client says of itself is not believed', allow(rule('paths: [/direct]', 'from: [{ source: { ipBlocks: [127.0.0.0/8] } }]'), rule('paths: [/remote]', 'from: [{ source: { remoteIpBlocks: [10.0.0.0/8] } }]'), rule('paths: [/own]', 'from: [{ source: { remoteIpBlocks: [127.0.0.1], notIpBlocks: ["::1"] } }]'), rule('paths: [/port]', 'when: [{ key: destination.port, notValues: ["1"] }]')), [
    get('/direct', fine), get('/direct', fine, { headers: { 'x-forwarded-for': '10.0.0.1' } }), get('/remote', denied, { headers: { 'x-forwarded-for': '10.0.0.1' } }), get('/own', fine, { headers: { 'x-forwarded-for': '10.0.0.1' } }), get('/port', fine),
    get('/remote', denied, { headers: { 'x-envoy-external-address': '10.0.0.1', 'x-real-ip': '10.0.0.1', forwarded: 'for=10.0.0.1' } }),
  ], { loose: ['log.remote'] }),
  gateway('identities: a client without a certificate is nobody, whatever it says', allow(rule('paths: [/any]', 'from: [{ source: { principals: ["*"] } }]'), rule('paths: [/ns]', 'from: [{ source: { namespaces: [a] } }]'), rule('paths: [/not]', 'from: [{ source: { notPrincipals: ["*"] } }]')), [
    get('/any', denied, { headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/a/sa/b' } }), get('/ns', denied, { headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/a/sa/b' } }), get('/not', fine),
  ]),
  gateway('gRPC clients get a status', allow(rule('methods: [GET]')), [{ method: 'POST', path: '/pkg.Service/Method', headers: { 'content-type': 'application/grpc' }, body: '', expect: { status: 200, to: [], headers: { 'grpc-status': '7', 'grpc-message': 'RBAC: access denied' } } }]),
  gateway('a dry run denies nothing', allow(rule('')) + policy('try', `{ action: DENY, rules: [${rule('')}] }`, ', annotations: { istio.io/dry-run: "true" }'), [get('/', fine)]),
  gateway('an ALLOW that is a dry run allows nothing, and counts for none', allow(rule('paths: [/a]')) + policy('try', `{ rules: [${rule('')}] }`, ', annotations: { istio.io/dry-run: "true" }'), [get('/a', fine), get('/', denied)]),
  gateway('an AUDIT denies nothing', allow(rule('')) + policy('audit', `{ action: AUDIT, rules: [${rule('')}] }`), [get('/', fine)]),
  gateway('a route that answers itself, and one that is not there', allow(rule('paths: [/redirect, /none]')), [get('/redirect', { status: 301, to: [] }), get('/denied', denied), get('/none', { status: 404, to: [], flags: 'NR' })], { http: '[{ match: [{ uri: { exact: /redirect } }], redirect: { uri: /else } }, { match: [{ uri: { exact: /denied } }], redirect: { uri: /else } }]' }),
  gateway('an ALLOW for a path before it is rewritten', allow(rule('paths: [/before]')), [get('/before', { ...fine, path: '/after' }), get('/after', denied)], { http: '[{ rewrite: { uri: /after }, route: [{ destination: { host: a } }] }]' }),
  gateway('a fault does not come before a denial', allow(rule('paths: [/a]')), [get('/a', { status: 418, flags: 'FI' }), get('/b', denied)], { http: '[{ fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }, route: [{ destination: { host: a } }] }]' }),
  gateway('a preflight is asked too', allow(rule('methods: [GET]')), [{ method: 'OPTIONS', headers: { origin: 'http://a.example', 'access-control-request-method': 'GET' }, expect: denied }], { http: '[{ corsPolicy: { allowOrigins: [{ exact: http://a.example }] }, route: [{ destination: { host: a } }] }]' }),
  {
    title: 'at a workload: bytes of a port that is denied', role: 'inbound', services: { a: { port: { name: 'tcp', number: 80 } } }, yaml: inbound('bytes', '{ action: DENY, rules: [{ to: [{ operation: { ports: ["$inport"] } }] }] }'),
    asks: [{ raw: 'hello\r\n', expect: { status: 0, to: [] } }], loose: beforeAnythingElse,
  },
  {
    title: 'at a workload: a DENY for a method closes all bytes of its port', role: 'inbound', services: { a: { port: { name: 'tcp', number: 80 } } }, yaml: inbound('get', '{ action: DENY, rules: [{ to: [{ operation: { ports: ["$inport"], methods: [GET] } }] }] }'),
    asks: [{ raw: 'POST / HTTP/1.1\r\nhost: a\r\n\r\n', expect: { status: 0, to: [] } }], loose: beforeAnythingElse,
  },
  {
    title: 'at a workload: bytes that no policy denies', role: 'inbound', services: { a: { port: { name: 'tcp', number: 80 } } }, yaml: inbound('else', '{ action: DENY, rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }], to: [{ operation: { ports: ["$inport"] } }] }] }'),
    asks: [{ raw: 'GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', expect: { status: 200, to: ['a'] } }],
  },
  {
    title: 'at a workload: the client that x-forwarded-for names is believed, the last one', role: 'inbound', yaml: inbound('remote', '{ action: DENY, rules: [{ from: [{ source: { remoteIpBlocks: [10.0.0.0/8] } }], to: [{ operation: { ports: ["$inport"] } }] }] }'), loose: ['log.remote'],
    asks: [get('/', fine), get('/', { status: 403 }, { headers: { 'x-forwarded-for': '10.0.0.1' } }), get('/', fine, { headers: { 'x-forwarded-for': '10.0.0.1, 192.168.0.1' } }), get('/', { status: 403 }, { headers: { 'x-forwarded-for': '192.168.0.1,10.0.0.1' } })],
  },
  {
    title: 'at a workload: certificates that are only headers', role: 'inbound', yaml: inbound('spoofed', '{ action: DENY, rules: [{ from: [{ source: { notPrincipals: [cluster.local/ns/a/sa/b] } }], to: [{ operation: { ports: ["$inport"] } }] }] }'),
    asks: [get('/', { status: 403 }, { headers: { 'x-forwarded-client-cert': 'By=spiffe://x;Hash=00;URI=spiffe://cluster.local/ns/a/sa/b' } })],
  },
  {
    title: 'at a workload: a provider that nobody knows denies what would be asked about, and nothing else', role: 'inbound', issues: /nobody/,
    yaml: inbound('ask', '{ action: CUSTOM, provider: { name: nobody }, rules: [{ to: [{ operation: { ports: ["$inport"], paths: [/asked] } }] }] }'),
    asks: [get('/', fine), get('/asked', { ...denied, details: /-deny-due-to-bad-CUSTOM-action/ })],
  },
  gateway('a provider decides about what it is asked', `${allow(rule(''))}${policy('ask', `{ action: CUSTOM, provider: { name: decider }, rules: [${rule('paths: ["/asked*"]')}] }`)}
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    ${JSON.stringify(meshConfig)}
`, [
    get('/else', fine),
    get('/asked?q=1', { status: 200, to: ['decider', 'a'], seen: { 'x-user': 'anna', 'x-claim-a': 'b', 'x-not': null }, headers: { 'x-session': 's', 'x-not': null } }, { headers: { 'x-user': 'spoofed', 'x-shown': 'a', 'x-some-b': 'c', 'x-hidden': 'd', authorization: 'Bearer t', cookie: 'e=f' } }),
    get('/asked', { status: 302, to: ['decider'], headers: { location: '/login', 'x-why': 'because', 'x-not': null }, flags: 'UAEX', details: 'ext_authz_denied' }),
    get('/asked', { status: 401, to: ['decider'], body: 'who are you', headers: { 'www-authenticate': 'Basic' }, flags: 'UAEX' }, { method: 'POST', body: 'hello' }),
    get('/asked', { status: 403, to: ['decider'], body: '', flags: 'UAEX', details: 'ext_authz_error' }),
    get('/asked', { status: 403, to: ['decider'], flags: 'UAEX', details: 'ext_authz_error' }),
    get('/asked', { status: 403, to: ['decider'], flags: 'UAEX', details: 'ext_authz_error', atLeastMs: 900 }),
    get('/asked/not', denied, { method: 'GET', host: 'other.$ns.example.com' }),
  ], { services: { decider: { answers: [
    { headers: [['x-user', 'anna'], ['x-claim-a', 'b'], ['x-not', 'c'], ['x-session', 's']] }, { status: 302, headers: [['location', '/login'], ['x-why', 'because'], ['x-not', 'c']] },
    { status: 401, headers: [['www-authenticate', 'Basic']], body: 'who are you' }, 503, { then: 'reset' }, { delayMs: 1500 },
  ] }, a: {} } }),
]

function inbound(name: string, spec: string): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: $ns-${name}, namespace: client }
spec: ${spec}
---`
}
