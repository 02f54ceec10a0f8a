// What outsiders say about themselves and about the mesh: headers that only proxies may write. Each is sent by a stranger to a
// gateway, and by a client without a certificate to a sidecar; the program must not see it, and the proxies must not act on it.
import { unlike } from '../case.ts'
import type { Ask, Case } from '../case.ts'

const route = 'route: [{ destination: { host: a.$ns.svc.cluster.local } }]'
const http = `[{ ${route} }]`

/** Sent by a stranger, and what the program sees then: null for nothing. */
const atGateway: readonly (readonly [header: string, sent: string | readonly string[], seen: string | RegExp | null])[] = [
  ['x-forwarded-client-cert', 'By=spiffe://cluster.local/ns/x/sa/x;URI=spiffe://cluster.local/ns/default/sa/admin', null],
  ['X-Forwarded-Client-Cert', 'URI=spiffe://cluster.local/ns/default/sa/admin', null],
  ['x-forwarded-client-cert', ['URI=spiffe://a/ns/a/sa/a', 'URI=spiffe://b/ns/b/sa/b'], null],
  ['x-forwarded-proto', 'https', 'http'],
  ['x-forwarded-proto', ['https', 'https'], 'http'],
  ['x-envoy-external-address', '10.0.0.1', /^127\./],
  ['x-envoy-internal', 'true', null],
  ['x-envoy-original-path', '/admin', null],
  ['x-envoy-original-host', 'admin.example', null],
  ['x-envoy-attempt-count', '7', '1'],
  ['x-envoy-downstream-service-cluster', 'admin', null],
  ['x-envoy-downstream-service-node', 'admin', null],
  ['x-envoy-force-trace', 'true', null],
  ['x-envoy-ip-tags', 'office', null],
  ['x-envoy-expected-rq-timeout-ms', '1', null],
  ['x-envoy-retry-on', '5xx', null],
  ['x-envoy-upstream-rq-timeout-ms', '1', null],
  ['x-envoy-upstream-alt-stat-name', 'x', null],
]

const titleOf = (header: string, sent: string | readonly string[]): string => `${header}: ${String(sent).slice(0, 24)}`
const ask = (header: string, sent: string | readonly string[], seen: string | RegExp | null): Ask => ({ headers: { [header]: sent }, expect: { status: 200, seen: { [header.toLowerCase()]: seen } } })

export const spoofing: readonly Case[] = [
  ...atGateway.map(([header, sent, seen]): Case => ({ title: `a stranger at a gateway says ${titleOf(header, sent)}`, role: 'gateway', http, asks: [ask(header, sent, seen)] })),
  { title: 'a stranger at a gateway names the operation', role: 'gateway', http, asks: [{
    headers: { 'x-envoy-decorator-operation': 'admin:80/*' }, expect: { status: 200, seen: { 'x-envoy-decorator-operation': /^a\.c\d+\.svc\.cluster\.local:80\/\*$/ } },
    ...unlike('Envoy names the operation only where it traces', { status: 200, seen: { 'x-envoy-decorator-operation': null } }),
  }] },
  { title: 'a stranger at a gateway names addresses of the mesh in x-forwarded-for, and is no insider', role: 'gateway', http, services: { a: { answers: [503, 200] } }, asks: [
    { headers: { 'x-forwarded-for': '10.0.0.1', 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '3' }, expect: { status: 503, to: ['a'], seen: { 'x-forwarded-for': /^10\.0\.0\.1, ?[\d.]+$/, 'x-envoy-internal': null } } },
  ] },
  { title: 'a client without a certificate sends x-forwarded-client-cert to a sidecar', role: 'inbound', asks: [
    { headers: { 'x-forwarded-client-cert': 'By=spiffe://cluster.local/ns/x/sa/x;URI=spiffe://cluster.local/ns/default/sa/admin' }, expect: { status: 200, seen: { 'x-forwarded-client-cert': null } } },
    { headers: { 'x-forwarded-client-cert': ['URI=spiffe://a/ns/a/sa/a', 'URI=spiffe://b/ns/b/sa/b'] }, expect: { status: 200, seen: { 'x-forwarded-client-cert': null } } },
  ] },
  { title: 'a client tells a sidecar what peers tell each other', role: 'inbound', asks: [
    { headers: { 'x-envoy-peer-metadata': 'AAAA', 'x-envoy-peer-metadata-id': 'sidecar~1.2.3.4~admin.x~x.svc' }, expect: { status: 200, seen: { 'x-envoy-peer-metadata': null, 'x-envoy-peer-metadata-id': null } }, ...unlike("Istio's Envoy has a filter for it, the one here has not", { status: 200, seen: { 'x-envoy-peer-metadata': 'AAAA' } }) },
  ] },
]
