// Sessions that survive weights: the subset is a function of the key, and both proxies compute the same one.
import type { Case } from '../case.ts'

const versions = { a: { hosts: [{ labels: { version: 'v1' } }, { labels: { version: 'v2' } }] } }
const keys = Array.from({ length: 24 }, (_, i) => `user-${i}`)

function sticky(title: string, hash: string, weights: readonly [number, number], ask: (key: string) => Case['asks'][number]): Case {
  return {
    title, services: versions,
    rule: `subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }], trafficPolicy: { loadBalancer: { consistentHash: ${hash} } }`,
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: sticky, namespace: $ns, annotations: { trysail.dev/sticky-weights: "true" } }
spec:
  hosts: [a]
  http:
  - route:
    - { destination: { host: a, subset: v1 }, weight: ${weights[0]} }
    - { destination: { host: a, subset: v2 }, weight: ${weights[1]} }`,
    asks: keys.map(ask),
  }
}

export const stickyWeights: readonly Case[] = [
  sticky('a key in a header chooses the subset, weights 50 and 50', '{ httpHeaderName: x-user }', [50, 50], (key) => ({ headers: { 'x-user': key }, expect: { status: 200 } })),
  sticky('a key in a header chooses the subset, weights 1 and 3', '{ httpHeaderName: x-user }', [1, 3], (key) => ({ headers: { 'x-user': key }, expect: { status: 200 } })),
  sticky('a key in a cookie chooses the subset', '{ httpCookie: { name: user } }', [50, 50], (key) => ({ headers: { cookie: `user=${key}` }, expect: { status: 200 } })),
  sticky('a key in the query chooses the subset', '{ httpQueryParameterName: user }', [50, 50], (key) => ({ path: `/?user=${key}`, expect: { status: 200 } })),
]
