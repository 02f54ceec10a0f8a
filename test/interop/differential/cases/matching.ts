// Which rule of a VirtualService takes a request, and which VirtualService a host.
import type { Case } from '../case.ts'
import { one } from '../case.ts'

/** A rule that answers with its own name. */
const named = (name: string, match: string): string => `{ name: ${name}, match: [${match}], directResponse: { status: 200, body: { string: ${name} } } }`
const rest = '{ name: rest, directResponse: { status: 404, body: { string: rest } } }'
const rules = (match: string): string => `[${named('hit', match)}, ${rest}]`
const hit = { status: 200, body: 'hit', route: 'hit', to: [], details: 'direct_response' }
const miss = { status: 404, body: 'rest', route: 'rest' }

export const matching: readonly Case[] = [
  one('a host without rules goes to its service', '[{ route: [{ destination: { host: a } }] }]', { path: '/x?y=1', expect: { status: 200, body: 'a\n', to: ['a'], path: '/x?y=1', flags: '-', details: 'via_upstream' } }),
  { title: 'a service without a VirtualService is reached by all its names', asks: [
    { expect: { status: 200, body: 'a\n', cluster: 'outbound|80||a.$ns.svc.cluster.local', route: 'default' } },
    { host: 'a.$ns.svc', expect: { status: 200 } },
    { host: 'a.$ns', expect: { status: 200 } },
    { host: '$host:80', expect: { status: 200 } },
    { host: 'A.$NS.SVC.CLUSTER.LOCAL', expect: { status: 200 } },
  ] },
  { title: 'uri.exact is for the whole path', http: rules('{ uri: { exact: /one } }'), asks: [
    { path: '/one', expect: hit }, { path: '/one?q', expect: hit }, { path: '/one/', expect: miss }, { path: '/One', expect: miss }, { path: '/one%20', expect: miss }, { path: '/on', expect: miss },
  ] },
  { title: 'uri.prefix matches in the middle of a segment, as text', http: rules('{ uri: { prefix: /pre } }'), asks: [
    { path: '/pre', expect: hit }, { path: '/prefix', expect: hit }, { path: '/pre/x', expect: hit }, { path: '/pr', expect: miss }, { path: '/x/pre', expect: miss },
  ] },
  { title: 'uri.prefix with a slash at its end', http: rules('{ uri: { prefix: /pre/ } }'), asks: [
    { path: '/pre/', expect: hit }, { path: '/pre/x', expect: hit }, { path: '/pre', expect: miss }, { path: '/prefix', expect: miss },
  ] },
  { title: 'uri.regex is for the whole path without its query', http: rules('{ uri: { regex: "/(a|b)[0-9]+" } }'), asks: [
    { path: '/a1', expect: hit }, { path: '/b22?x=/c', expect: hit }, { path: '/a1/x', expect: miss }, { path: '/c1', expect: miss }, { path: '/xa1', expect: miss },
  ] },
  { title: 'ignoreUriCase for exact and prefix', http: `[${named('exact', '{ uri: { exact: /One }, ignoreUriCase: true }')}, ${named('prefix', '{ uri: { prefix: /Pre }, ignoreUriCase: true }')}, ${rest}]`, asks: [
    { path: '/oNE', expect: { body: 'exact' } }, { path: '/pREfix', expect: { body: 'prefix' } }, { path: '/two', expect: miss },
  ] },
  { title: 'method by exact, prefix and regex', http: `[${named('post', '{ method: { exact: POST } }')}, ${named('p', '{ method: { prefix: P } }')}, ${named('rx', '{ method: { regex: "DE.*|OPTIONS" } }')}, ${rest}]`, asks: [
    { method: 'POST', body: 'x', expect: { body: 'post' } }, { method: 'PUT', body: 'x', expect: { body: 'p' } }, { method: 'DELETE', expect: { body: 'rx' } }, { method: 'OPTIONS', expect: { body: 'rx' } }, { expect: miss },
  ] },
  { title: 'headers by exact, prefix, regex and presence', http: `[${named('exact', '{ headers: { x-a: { exact: one } } }')}, ${named('prefix', '{ headers: { x-a: { prefix: tw } } }')}, ${named('regex', '{ headers: { x-a: { regex: "th.e+" } } }')}, ${named('present', '{ headers: { x-b: {} } }')}, ${rest}]`, asks: [
    { headers: { 'X-A': 'one' }, expect: { body: 'exact' } }, { headers: { 'x-a': 'two' }, expect: { body: 'prefix' } }, { headers: { 'x-a': 'three' }, expect: { body: 'regex' } },
    { headers: { 'x-a': 'xthree' }, expect: miss }, { headers: { 'x-b': 'whatever' }, expect: { body: 'present' } }, { headers: { 'x-b': '' }, expect: { body: 'present' } }, { headers: { 'x-a': 'One' }, expect: miss }, { expect: miss },
  ] },
  { title: 'of a header that comes twice each value is matched by itself', http: `[${named('list', '{ headers: { x-a: { exact: "one,two" } } }')}, ${named('one', '{ headers: { x-a: { exact: one } } }')}, ${named('without', '{ withoutHeaders: { x-b: { exact: one } }, headers: { x-b: {} } }')}, ${rest}]`, asks: [
    { headers: { 'x-a': ['one', 'two'] }, expect: { body: 'one' } }, { headers: { 'x-a': 'one,two' }, expect: { body: 'list' } }, { headers: { 'x-a': ['two', 'one'] }, expect: { body: 'one' } }, { headers: { 'x-a': ['two', 'three'] }, expect: miss },
    { headers: { 'x-b': ['two', 'one'] }, expect: miss }, { headers: { 'x-b': ['one', 'two'] }, expect: miss }, { headers: { 'x-b': ['two', 'three'] }, expect: { body: 'without' } },
  ] },
  { title: 'withoutHeaders by value and by presence', http: `[${named('noA', '{ withoutHeaders: { x-a: {} }, uri: { prefix: /a } }')}, ${named('notOne', '{ withoutHeaders: { x-b: { exact: one } }, uri: { prefix: /b } }')}, ${rest}]`, asks: [
    { path: '/a', expect: { body: 'noA' } }, { path: '/a', headers: { 'x-a': 'v' }, expect: miss }, { path: '/b', expect: { body: 'notOne' } }, { path: '/b', headers: { 'x-b': 'two' }, expect: { body: 'notOne' } }, { path: '/b', headers: { 'x-b': 'one' }, expect: miss },
  ] },
  { title: 'query parameters by exact, prefix, regex', http: `[${named('exact', '{ queryParams: { q: { exact: one } } }')}, ${named('prefix', '{ queryParams: { q: { prefix: tw } } }')}, ${named('regex', '{ queryParams: { q: { regex: "t.r+e*" } } }')}, ${rest}]`, asks: [
    { path: '/?q=one', expect: { body: 'exact' } }, { path: '/?p=1&q=one', expect: { body: 'exact' } }, { path: '/?q=two', expect: { body: 'prefix' } }, { path: '/?q=three', expect: { body: 'regex' } }, { path: '/?q=', expect: miss }, { path: '/?Q=one', expect: miss }, { path: '/', expect: miss },
  ] },
  { title: 'a query parameter that comes twice, and one that is escaped', http: rules('{ queryParams: { q: { exact: "a b" } } }'), asks: [
    { path: '/?q=a%20b', expect: miss }, { path: '/?q=a+b', expect: miss },
  ] },
  { title: 'the first of two query parameters counts', http: rules('{ queryParams: { q: { exact: one } } }'), asks: [{ path: '/?q=one&q=two', expect: hit }, { path: '/?q=two&q=one', expect: miss }] },
  { title: 'scheme', http: `[${named('http', '{ scheme: { exact: http } }')}, ${rest}]`, asks: [{ expect: { body: 'http' } }] },
  { title: 'authority by exact and prefix', http: `[${named('port', '{ authority: { exact: "$host:80" } }')}, ${named('plain', '{ authority: { prefix: a. } }')}, ${rest}]`, asks: [
    { expect: { body: 'plain' } }, { host: '$host:80', expect: { body: 'port' } },
  ] },
  { title: 'port', http: `[${named('other', '{ port: 81 }')}, ${named('eighty', '{ port: 80 }')}, ${rest}]`, asks: [{ expect: { body: 'eighty' } }] },
  { title: 'sourceLabels and sourceNamespace are of the client', http: `[${named('foreign', '{ sourceLabels: { app: other } }')}, ${named('elsewhere', '{ sourceNamespace: elsewhere }')}, ${named('mine', '{ sourceLabels: { app: client }, sourceNamespace: client }')}, ${rest}]`, asks: [{ expect: { body: 'mine' } }] },
  { title: 'sourceLabels at a gateway are those of the gateway', role: 'gateway', http: `[${named('foreign', '{ sourceLabels: { app: client } }')}, ${named('mine', '{ sourceLabels: { istio: ingressgateway } }')}, ${rest}]`, asks: [{ expect: { body: 'mine' } }] },
  { title: 'a delegate has what its root and it say together, and what is not for both is left out', http: `[{ match: [{ uri: { prefix: /d } }], delegate: { name: leaf }, headers: { response: { set: { x-root: yes } } } }, { match: [{ uri: { prefix: /n } }], delegate: { name: nobody } }, ${rest}]`, issues: /nobody/, yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: leaf, namespace: $ns }
spec: { http: [${named('narrow', '{ uri: { prefix: /d/narrow }, headers: { x-a: { exact: "1" } } }')}, ${named('elsewhere', '{ uri: { prefix: /e } }')}, { name: all, rewrite: { uri: /new }, route: [{ destination: { host: a } }] }] }
---`, asks: [
    { path: '/d/narrow', headers: { 'x-a': '1' }, expect: { body: 'narrow', headers: { 'x-root': 'yes' } } }, { path: '/d/narrow', expect: { status: 200, path: '/new/narrow', headers: { 'x-root': 'yes' } } }, { path: '/e', expect: miss }, { path: '/n', expect: miss },
  ] },
  { title: 'gateways of a match', yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: routes, namespace: $ns }
spec: { hosts: [$host], gateways: [mesh, edge/edge], http: [${named('edge', '{ gateways: [edge/edge] }')}, ${named('mesh', '{ gateways: [mesh] }')}] }`, asks: [{ expect: { body: 'mesh' } }], issues: /./ },
  { title: 'all conditions of one block must hold, any block is enough', http: `[{ name: hit, match: [{ uri: { prefix: /a }, headers: { x-a: { exact: "1" } } }, { uri: { prefix: /b } }], directResponse: { status: 200, body: { string: hit } } }, ${rest}]`, asks: [
    { path: '/a', headers: { 'x-a': '1' }, expect: hit }, { path: '/a', expect: miss }, { path: '/b', expect: hit },
  ] },
  { title: 'the first rule that matches wins, not the best', http: `[${named('prefix', '{ uri: { prefix: / } }')}, ${named('exact', '{ uri: { exact: /one } }')}]`, asks: [{ path: '/one', expect: { body: 'prefix' } }], issues: /never reached/ },
  { title: 'no rule matches: 404 without a route', http: `[${named('one', '{ uri: { exact: /one } }')}]`, asks: [{ path: '/two', expect: { status: 404, body: '', flags: 'NR', details: 'route_not_found', cluster: '-', to: [] } }] },
  { title: 'a match block without conditions takes everything', http: `[${named('all', '{ name: all }')}]`, asks: [{ path: '/what', expect: { body: 'all' } }] },
  { title: 'a name of a rule and of a match', http: '[{ name: rule, match: [{ name: block, uri: { prefix: / } }], route: [{ destination: { host: a } }] }]', asks: [{ expect: { status: 200, route: 'rule.block' } }] },
  { title: 'a pseudo header in a match', http: rules('{ headers: { ":authority": { prefix: a } } }'), asks: [{ expect: hit }], issues: /./ },
  { title: 'a wildcard host, and the more precise one before it', services: { a: {}, b: {} }, yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wild, namespace: $ns }
spec: { hosts: ["*.$ns.test"], location: MESH_EXTERNAL, resolution: NONE, ports: [{ number: 80, name: http, protocol: HTTP }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: wild, namespace: $ns }
spec: { hosts: ["*.$ns.test"], http: [{ name: wild, directResponse: { status: 200, body: { string: wild } } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: tame, namespace: $ns }
spec: { hosts: ["tame.$ns.test"], http: [{ name: tame, directResponse: { status: 200, body: { string: tame } } }] }`, asks: [
    { host: 'x.$ns.test', expect: { status: 200, body: 'wild' } }, { host: 'X.$NS.TEST', expect: { body: 'wild' } }, { host: 'a.b.$ns.test', expect: { body: 'wild' } }, { host: 'tame.$ns.test', expect: { body: 'tame' } }, { host: 'tame.$ns.test:80', expect: { body: 'tame' } },
  ] },
  { title: 'a host that no service has passes through to where it was going', asks: [{ host: 'unknown.example.org', to: '$net.250.1', port: 80, expect: { status: 503, cluster: 'PassthroughCluster', route: 'allow_any' } }], loose: ['reply.body', 'log.failure', 'log.details', 'log.sent', 'reply.headers.content-length'] },
  { title: 'a host that no service has is refused where only the registry may be reached', role: 'strict', asks: [{ host: 'unknown.example.org', expect: { status: 502, body: '', flags: '-', details: 'direct_response', route: 'block_all', to: [] } }, { expect: { status: 200, body: 'a\n' } }] },
  { title: 'regex alternatives and classes', http: rules('{ uri: { regex: "/v[12]/(users|orders)/\\\\d+" } }'), asks: [{ path: '/v1/users/7', expect: hit }, { path: '/v3/users/7', expect: miss }, { path: '/v2/orders/x', expect: miss }] },
  { title: 'a path that is escaped is matched as it was sent', http: rules('{ uri: { exact: "/a b" } }'), asks: [{ path: '/a%20b', expect: miss }] },
  { title: 'a fragment in a target is refused', http: rules('{ uri: { exact: /one } }'), asks: [{ raw: 'GET /one#two HTTP/1.1\r\nhost: $host\r\n\r\n', expect: { status: 400 } }] },
]
