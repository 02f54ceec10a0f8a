// Gateways, the inbound side of a sidecar, plain TCP, and what is outside of the mesh.
import type { Case } from '../case.ts'

const route = 'route: [{ destination: { host: a.$ns.svc.cluster.local } }]'
const http = `[{ ${route} }]`
/** Why there was no host: Envoy does not say. */
const moreSaid = ['log.failure']
const gateway = (title: string, rest: Omit<Case, 'title' | 'role'>): Case => ({ title: `gateway: ${title}`, role: 'gateway', http, ...rest })
const inbound = (title: string, rest: Omit<Case, 'title' | 'role'>): Case => ({ title: `inbound: ${title}`, role: 'inbound', ...rest })
const ownGateway = (servers: string, routes: string): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: own, namespace: $ns }
spec: { selector: { istio: ingressgateway }, servers: ${servers} }
---
${routes}`
const virtualService = (name: string, hosts: string, rules = `[{ name: ${name}, ${route} }]`, gateways = '[own]'): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: $ns }
spec: { hosts: ${hosts}, gateways: ${gateways}, http: ${rules} }`

export const edges: readonly Case[] = [
  gateway('a request comes through', { asks: [{ path: '/x', expect: { status: 200, body: 'a\n', to: ['a'], flags: '-', seen: { 'x-forwarded-for': /^[\d.]+$/, 'x-forwarded-proto': 'http' } } }] }),
  gateway('curl', { asks: [{ path: '/x', curl: ['-A', 'tester'], expect: { status: 200, body: 'a\n', to: ['a'] } }] }),
  gateway('curl with a body', { asks: [{ method: 'POST', body: 'hello', curl: [], expect: { status: 200, seenBody: 'hello' } }] }),
  gateway('curl with HEAD', { asks: [{ method: 'HEAD', curl: [], expect: { status: 200 } }] }),
  gateway('curl that waits for 100', { asks: [{ method: 'POST', body: 'x'.repeat(3000), headers: { expect: '100-continue' }, curl: [], expect: { status: 200 } }] }),
  gateway('curl with chunks', { asks: [{ method: 'POST', body: 'hello', headers: { 'transfer-encoding': 'chunked' }, curl: [], expect: { status: 200, seenBody: 'hello' } }] }),
  gateway('curl with HTTP/1.0', { asks: [{ curl: ['--http1.0'], expect: { status: 426 } }], loose: ['reply', 'log'] }),
  gateway('headers of x-forwarded are not believed', { asks: [{ headers: { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'h' }, expect: { status: 200, seen: { 'x-forwarded-for': /^1\.2\.3\.4, ?[\d.]+$/, 'x-forwarded-proto': 'http' } } }] }),
  gateway('headers of Envoy are taken away', { asks: [{ headers: { 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '5', 'x-envoy-upstream-rq-timeout-ms': '1', 'x-envoy-internal': 'true', 'x-envoy-decorator-operation': 'x', 'x-envoy-expected-rq-timeout-ms': '3', 'x-envoy-ip-tags': 'x' }, expect: { status: 503, to: ['a'] } }], services: { a: { answers: [503] } } }),
  gateway('x-request-id of a stranger', { asks: [{ headers: { 'x-request-id': '11111111-1111-4111-8111-111111111111' }, expect: { status: 200 } }] }),
  gateway('a client certificate header of a stranger is taken away', { asks: [{ headers: { 'x-forwarded-client-cert': 'By=me' }, expect: { status: 200, seen: { 'x-forwarded-client-cert': null } } }] }),
  gateway('a host that nothing is written for', { asks: [{ host: 'nobody.example.org', expect: { status: 404, flags: 'NR', details: 'route_not_found', to: [] } }] }),
  gateway('the host with a port', { asks: [{ host: '$host:80', expect: { status: 200 } }, { host: '$host:8080', expect: { status: 200 } }] }),
  gateway('a host in capitals', { asks: [{ host: '$NS.EXAMPLE.COM', expect: { status: 200 } }] }),
  gateway('the server header', { services: { a: { answers: [{ headers: [['server', 'x']] }] } }, asks: [{ expect: { status: 200, headers: { server: 'istio-envoy' } } }] }),
  gateway('x-envoy headers of an answer', { services: { a: { answers: [{ headers: [['x-envoy-upstream-service-time', '99'], ['x-envoy-decorator-operation', 'y'], ['x-envoy-peer-metadata', 'z']] }] } }, asks: [{ expect: { status: 200 } }] }),
  gateway('redirect to https by rule', { http: '[{ redirect: { scheme: https } }]', asks: [{ path: '/x', expect: { status: 301, headers: { location: /^https:\/\/c\d+\.example\.com\/x$/ } } }] }),
  gateway('rewrite, headers and retries', { services: { a: { answers: [503, 200] } }, http: `[{ match: [{ uri: { prefix: /api/ } }], rewrite: { uri: / }, headers: { request: { set: { x-a: b } } }, retries: { attempts: 2, retryOn: 5xx }, ${route} }]`, asks: [{ path: '/api/v1', expect: { status: 200, path: '/v1', seen: { 'x-a': 'b' }, to: ['a', 'a'] } }] }),
  gateway('a body that is too slow for nobody', { services: { a: { answers: [{ bodyDelayMs: 300 }] } }, asks: [{ expect: { status: 200, body: 'a\n' } }] }),
  gateway('httpsRedirect', { http: '[{ directResponse: { status: 200 } }]', yaml: ownGateway('[{ port: { number: $port, name: http, protocol: HTTP }, hosts: ["*"], tls: { httpsRedirect: true } }]', virtualService('own', '["own.$ns.example"]')), asks: [{ port: 1, host: 'own.$ns.example', path: '/x?y', expect: { status: 301, headers: { location: /^https:\/\/own\.c\d+\.example\/x\?y$/ } } }] }),
  gateway('two hosts and a wildcard on one port', { yaml: ownGateway('[{ port: { number: $port, name: http, protocol: HTTP }, hosts: ["one.$ns.example", "*.two.$ns.example"] }]', [virtualService('one', '["one.$ns.example"]'), virtualService('two', '["*.two.$ns.example"]'), virtualService('three', '["three.$ns.example"]')].join('\n---')), asks: [
    { port: 1, host: 'one.$ns.example', expect: { status: 200, route: 'one' } }, { port: 1, host: 'x.two.$ns.example', expect: { status: 200, route: 'two' } }, { port: 1, host: 'two.$ns.example', expect: { status: 404 } }, { port: 1, host: 'three.$ns.example', expect: { status: 404 } }, { port: 1, host: '$host', expect: { status: 404 } },
  ], issues: /three/ }),
  gateway('two servers of two Gateways on one port', { yaml: `${ownGateway('[{ port: { number: $port, name: http, protocol: HTTP }, hosts: ["one.$ns.example"] }]', virtualService('one', '["one.$ns.example"]'))}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: other, namespace: $ns }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: $port, name: http, protocol: HTTP }, hosts: ["two.$ns.example"] }] }
---${virtualService('two', '["two.$ns.example"]', undefined, '[other]')}`, asks: [{ port: 1, host: 'one.$ns.example', expect: { status: 200, route: 'one' } }, { port: 1, host: 'two.$ns.example', expect: { status: 200, route: 'two' } }] }),
  gateway('two VirtualServices for one host are one', { yaml: ownGateway('[{ port: { number: $port, name: http, protocol: HTTP }, hosts: ["*"] }]', [virtualService('first', '["m.$ns.example"]', `[{ name: first, match: [{ uri: { prefix: /a } }], ${route} }]`), virtualService('second', '["m.$ns.example"]', `[{ name: second, match: [{ uri: { prefix: /b } }], ${route} }]`)].join('\n---')), asks: [{ port: 1, host: 'm.$ns.example', path: '/a', expect: { route: 'first' } }, { port: 1, host: 'm.$ns.example', path: '/b', expect: { route: 'second' } }, { port: 1, host: 'm.$ns.example', path: '/c', expect: { status: 404 } }] }),
  gateway('bytes', { yaml: `${ownGateway('[{ port: { number: $port, name: tcp, protocol: TCP }, hosts: ["*"] }]', '')}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes, namespace: $ns }
spec: { hosts: ["*"], gateways: [own], tcp: [{ match: [{ port: $port }], route: [{ destination: { host: a, port: { number: 80 } } }] }] }`, asks: [{ port: 1, raw: 'GET /bytes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', expect: { status: 200, path: '/bytes', cluster: 'outbound|80||a.$ns.svc.cluster.local', flags: '-' } }] }),
  inbound('a request comes through', { asks: [{ path: '/x', expect: { status: 200, body: 'a\n', to: ['a'], path: '/x', flags: '-', route: 'default' } }] }),
  inbound('any host', { asks: [{ host: 'whatever.example', expect: { status: 200 } }] }),
  inbound('a 503 is not repeated', { services: { a: { answers: [503, 200] } }, asks: [{ expect: { status: 503, to: ['a'] } }] }),
  inbound('a reset', { services: { a: { answers: [{ then: 'reset' }] } }, asks: [{ method: 'POST', body: 'x', expect: { status: 503, to: ['a'] } }] }),
  inbound('no timeout', { services: { a: { answers: [{ delayMs: 500 }] } }, asks: [{ expect: { status: 200 } }] }),
  inbound('headers of the caller', { asks: [{ headers: { 'x-forwarded-for': '10.0.0.1', 'x-forwarded-proto': 'https', 'x-forwarded-client-cert': 'By=x', 'x-request-id': 'r', 'x-envoy-attempt-count': '2', 'x-envoy-decorator-operation': 'op' }, expect: { status: 200, seen: { 'x-forwarded-proto': 'https', 'x-request-id': 'r' } } }], loose: ['log.remote'] }),
  inbound('a path is normalized', { asks: [{ raw: 'GET /a/../b HTTP/1.1\r\nhost: $host\r\n\r\n', expect: { path: '/b' } }] }),
  inbound('bytes that are no HTTP on a port for HTTP', { asks: [{ raw: 'SSH-2.0-x\r\n\r\n', expect: {} }] }),
  inbound('a port that is not of the service passes through', { asks: [{ port: 2, expect: {} }], loose: ['reply.headers.content-length', 'log.sent'] }),
  { title: 'bytes by a port for TCP', services: { a: { port: { name: 'tcp', number: 7000 } } }, asks: [{ raw: 'GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', expect: { status: 200, path: '/t', seen: { 'x-request-id': null }, cluster: 'outbound|7000||a.$ns.svc.cluster.local', flags: '-' } }] },
  { title: 'bytes to a host where nobody listens', services: { a: { port: { name: 'tcp', number: 7001 }, hosts: [{ closed: true }] } }, asks: [{ raw: 'hello', expect: { status: 0, flags: 'UF,URX' } }] },
  { title: 'bytes to a service without endpoints', services: { a: { port: { name: 'tcp', number: 7002 }, hosts: [] } }, asks: [{ raw: 'hello', expect: { status: 0, flags: 'UH' } }], loose: moreSaid },
  { title: 'bytes with weights', services: { a: { port: { name: 'tcp', number: 7003 } }, b: { port: { name: 'tcp', number: 7003 } } }, yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes, namespace: $ns }
spec: { hosts: [$host], tcp: [{ route: [{ destination: { host: a }, weight: 0 }, { destination: { host: b }, weight: 100 }] }] }`, asks: [{ raw: 'GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', expect: { status: 200, to: ['b'] } }] },
  { title: 'a port without a protocol is sniffed: HTTP', services: { a: { port: { name: 'any', number: 7004 } } }, asks: [{ host: '$host:7004', path: '/s', expect: { status: 200, path: '/s', seen: { 'x-request-id': /./ } } }] },
  { title: 'a port without a protocol is sniffed: bytes', services: { a: { port: { name: 'any', number: 7005 } } }, asks: [{ raw: 'EHLO x\r\n', expect: { status: 0 } }], loose: ['log.failure'] },
  { title: 'bytes that are no HTTP on a port for HTTP pass through', asks: [{ raw: 'SSH-2.0-x\r\n\r\n', expect: { status: 0, cluster: 'PassthroughCluster' } }] },
  { title: 'a port that no service has passes through', asks: [{ port: 7999, to: '$net.1.1', raw: 'hello', expect: { status: 0, cluster: 'PassthroughCluster', flags: 'UF,URX' } }] },
  { title: 'a port that no service has is closed where only the registry may be reached', role: 'strict', asks: [{ port: 7999, to: '$net.1.1', raw: 'hello', expect: { status: 0, cluster: 'BlackHoleCluster', flags: 'UH' } }], loose: moreSaid },
  { title: 'a service outside of the mesh, with its addresses', yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: $ns }
spec: { hosts: [out.$ns.example], location: MESH_EXTERNAL, resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: $backend }], endpoints: [{ address: $net.251.1 }] }`, asks: [{ host: 'out.$ns.example', expect: { status: 599, cluster: 'outbound|80||out.$ns.example' } }] },
]
