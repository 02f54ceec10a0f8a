// Where requests go: weights, subsets, several hosts, circuit breakers.
import type { Case } from '../case.ts'
import { one } from '../case.ts'

const versions = { a: { hosts: [{ labels: { version: 'v1' } }, { labels: { version: 'v2' } }, { labels: { version: 'v3' } }] } }
const subsets = 'subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }, { name: v3, labels: { version: v3 } }]'
const to = (subset: string, weight: number): string => `{ destination: { host: a, subset: ${subset} }, weight: ${weight} }`
const slow = { a: { answers: [{ delayMs: 600 }] } }

export const splitting: readonly Case[] = [
  { title: 'weights of 90, 9 and 1', services: versions, rule: subsets, http: `[{ route: [${to('v1', 90)}, ${to('v2', 9)}, ${to('v3', 1)}] }]`, asks: [{ times: 3000, expect: { status: 200, share: { 'a/0': 0.9, 'a/1': 0.09, 'a/2': 0.01 } } }] },
  { title: 'weights that do not add up to 100', services: versions, rule: subsets, http: `[{ route: [${to('v1', 1)}, ${to('v2', 3)}] }]`, asks: [{ times: 1000, expect: { status: 200, share: { 'a/0': 0.25, 'a/1': 0.75 } } }] },
  { title: 'a weight of 0 gets nothing', services: versions, rule: subsets, http: `[{ route: [${to('v1', 0)}, ${to('v2', 100)}] }]`, asks: [{ times: 200, expect: { status: 200, share: { 'a/0': 0, 'a/1': 1 } } }] },
  { title: 'weights over two services', services: { a: {}, b: {} }, http: '[{ route: [{ destination: { host: a }, weight: 50 }, { destination: { host: b }, weight: 50 }] }]', asks: [{ times: 1000, expect: { status: 200, share: { a: 0.5, b: 0.5 } } }] },
  { title: 'a subset takes its requests alone', services: versions, rule: subsets, http: `[{ match: [{ headers: { x-v: { exact: v2 } } }], route: [${to('v2', 100)}] }, { route: [${to('v1', 100)}] }]`, asks: [
    { headers: { 'x-v': 'v2' }, expect: { status: 200, to: ['a/1'], cluster: 'outbound|80|v2|a.$ns.svc.cluster.local' } }, { expect: { to: ['a/0'] } },
  ] },
  { title: 'least requests, all hosts get their share', services: versions, asks: [{ times: 900, expect: { status: 200, share: { a: 1 } } }] },
  { title: 'round robin is fair', services: versions, rule: 'trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } }', asks: [{ times: 900, expect: { status: 200, share: { 'a/0': 1 / 3, 'a/1': 1 / 3, 'a/2': 1 / 3 } } }] },
  { title: 'random is fair', services: versions, rule: 'trafficPolicy: { loadBalancer: { simple: RANDOM } }', asks: [{ times: 900, expect: { status: 200, share: { 'a/0': 1 / 3, 'a/1': 1 / 3, 'a/2': 1 / 3 } } }] },
  { title: 'a key in a header always leads to one host', services: versions, rule: 'trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-key } } }', asks: ['one', 'two', 'three', 'four'].map((key) => ({ times: 20, headers: { 'x-key': key }, expect: { status: 200, share: { a: 1 } } })) },
  { title: 'a key in a query parameter', services: versions, rule: 'trafficPolicy: { loadBalancer: { consistentHash: { httpQueryParameterName: key } } }', asks: [{ path: '/?key=one', expect: { status: 200 } }, { path: '/?key=two', expect: { status: 200 } }] },
  { title: 'a cookie is made for who has none', services: versions, rule: 'trafficPolicy: { loadBalancer: { consistentHash: { httpCookie: { name: sticky, ttl: 60s, path: /p } } } }', asks: [
    { path: '/p', expect: { status: 200, headers: { 'set-cookie': /^sticky="[0-9a-f]+"; Max-Age=60; Path=\/p; HttpOnly$/ } } }, { path: '/p', headers: { cookie: 'sticky=abc' }, expect: { status: 200, headers: { 'set-cookie': null } } },
  ], loose: ['reply.headers.set-cookie'] },
  { title: 'a share of faults', http: '[{ fault: { abort: { httpStatus: 418, percentage: { value: 25 } } }, route: [{ destination: { host: a } }] }]', asks: [{ times: 1000, expect: { } }], loose: ['statuses'] },
  { title: 'one connection and one waiting request: the others overflow', services: slow, rule: 'trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } } }', asks: [{ together: 1, expect: { status: 200 } }, { together: 6, expect: { } }], loose: ['log', 'reply', 'deliveries'] },
  one('a mirror gets a copy', '[{ route: [{ destination: { host: a } }], mirror: { host: b } }]', { method: 'POST', body: 'hello', expect: { status: 200, body: 'a\n' } }, { services: { a: {}, b: {} }, loose: ['deliveries'] }),
  { title: 'PASSTHROUGH goes to where the connection was going', rule: 'trafficPolicy: { loadBalancer: { simple: PASSTHROUGH } }', asks: [{ expect: { status: 503, flags: 'UF,URX' } }], loose: ['log.upstream'] },
]
