// What DestinationRules say of balancing: who is left out, who comes first, and what keeps a client with its host.
import type { Case } from '../case.ts'

const two = { a: { hosts: [{ labels: { version: 'v1' } }, { labels: { version: 'v2' } }] } }
const failing = { a: { hosts: [{ labels: { version: 'v1' }, answers: [503] }, { labels: { version: 'v2' } }] } }
const outliers = (percent: number) => `outlierDetection: { consecutive5xxErrors: 1, interval: 60s, maxEjectionPercent: ${percent} }`
const balanced = (policy: string) => `trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN }, ${policy} }`
const preferring = (label: string, od = '') => `trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN, localityLbSetting: { failoverPriority: ["${label}"] } }${od === '' ? '' : `, ${od}`} }`
const cookie = (more: string) => `trafficPolicy: { loadBalancer: { consistentHash: { httpCookie: { name: sid${more} } } } }`

export const balancing: readonly Case[] = [
  // How many fail before the first failure is known depends on how many were on their way.
  { title: 'a host that fails is ejected, and the other one gets all', services: failing, rule: balanced(outliers(100)), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 20, expect: { share: { 'a/1': 1 } } }] },
  { title: 'one of two is not ejected when that is more than allowed', services: failing, rule: balanced(outliers(49)), asks: [{ times: 20, expect: {} }, { times: 40, expect: { share: { 'a/0': 0.5 } } }] },
  { title: 'endpoints with the label come first', services: two, rule: preferring('version=v2', outliers(100)), asks: [{ times: 30, expect: { share: { 'a/1': 1 } } }] },
  { title: 'endpoints with the label come first only with outlier detection', services: two, rule: preferring('version=v2'), issues: /failoverPriority: has no effect without outlierDetection/, asks: [{ times: 40, expect: { share: { 'a/1': 0.5 } } }] },
  { title: 'when those that come first are ejected, the others get all', services: failing, rule: preferring('version=v1', outliers(100)), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 20, expect: { share: { 'a/1': 1 } } }] },
  { title: 'a cookie is made where a client has none', services: two, rule: cookie(', ttl: 60s, path: /p, attributes: [{ name: SameSite, value: Lax }]'), loose: ['reply.headers.set-cookie', 'deliveries'],
    asks: [{ expect: { headers: { 'set-cookie': /^sid="[0-9a-f]{16}"; Max-Age=60; Path=\/p; SameSite=Lax; HttpOnly$/ } } }, { headers: { cookie: 'sid=mine' }, expect: { headers: { 'set-cookie': null } } }] },
  { title: 'a cookie for the session has no age', services: two, rule: cookie(', ttl: 0s'), loose: ['reply.headers.set-cookie'], asks: [{ expect: { headers: { 'set-cookie': /^sid="[0-9a-f]{16}"; HttpOnly$/ } } }] },
  { title: 'a cookie without a time to live is never made', services: two, rule: cookie(''), asks: [{ expect: { headers: { 'set-cookie': null } } }] },
]
