// What DestinationRules say of balancing: who is left out, who comes first, and what keeps a client with its host.
import type { Case } from '../case.ts'

const two = { a: { hosts: [{ labels: { version: 'v1' } }, { labels: { version: 'v2' } }] } }
const failing = { a: { hosts: [{ labels: { version: 'v1' }, answers: [503] }, { labels: { version: 'v2' } }] } }
const twoOfThree = { a: { hosts: [{ answers: [503] }, { answers: [503] }, {}] }, b: { answers: [{ delayMs: 1500 }] } }
const outliers = (percent: number) => `outlierDetection: { consecutive5xxErrors: 1, interval: 60s, maxEjectionPercent: ${percent} }`
const codes = (named: string) => `outlierDetection: { consecutive5xxErrors: 1, interval: 60s, maxEjectionPercent: 100, outlierDetectionHttpErrorCodes: [${named}] }`
const limiting = { a: { hosts: [{ labels: { version: 'v1' }, answers: [429] }, { labels: { version: 'v2' } }] } }
const balanced = (policy: string) => `trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN }, ${policy} }`
const preferring = (label: string, od = '') => `trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN, localityLbSetting: { failoverPriority: ["${label}"] } }${od === '' ? '' : `, ${od}`} }`
/** Hosts of these places; the client is in r.z1. One with a `!` answers 503. */
const at = (...places: readonly string[]) => ({ a: { hosts: places.map((place) => ({ labels: { 'istio-locality': place.replace('!', '') }, answers: [place.endsWith('!') ? 503 : 200] })) } })
const placed = (setting: string, od = '') => `trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN, localityLbSetting: ${setting} }${od === '' ? '' : `, ${od}`} }`
const cookie = (more: string) => `trafficPolicy: { loadBalancer: { consistentHash: { httpCookie: { name: sid${more} } } } }`

export const balancing: readonly Case[] = [
  // How many fail before the first failure is known depends on how many were on their way.
  { title: 'a host that fails is ejected, and the other one gets all', services: failing, rule: balanced(outliers(100)), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 20, expect: { share: { 'a/1': 1 } } }] },
  // Envoy tells its workers of a second ejection up to a second late (decision 0012): that is over when b has answered.
  { title: 'two of three that fail are both ejected, and the third one gets all', services: twoOfThree, rule: balanced(outliers(100)), loose: ['statuses'],
    asks: [{ times: 30, expect: {} }, { to: 'b', host: 'b.$ns.svc.cluster.local', expect: { status: 200 } }, { times: 60, expect: { share: { 'a/2': 1 } } }] },
  { title: 'fewer healthy hosts than minHealthPercent, and all of them get their share again', services: twoOfThree, rule: balanced(outliers(100).replace(' }', ', minHealthPercent: 50 }')), loose: ['statuses'],
    asks: [{ times: 30, expect: {} }, { to: 'b', host: 'b.$ns.svc.cluster.local', expect: { status: 200 } }, { times: 60, expect: { share: { 'a/0': 0.33, 'a/2': 0.33 } } }] },
  { title: 'one of two is not ejected when that is more than allowed', services: failing, rule: balanced(outliers(49)), asks: [{ times: 20, expect: {} }, { times: 40, expect: { share: { 'a/0': 0.5 } } }] },
  { title: 'statuses that are named as errors eject', services: limiting, rule: balanced(codes('429, 418')), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 20, expect: { share: { 'a/1': 1 } } }] },
  { title: 'a single status that is named as an error ejects', services: limiting, rule: balanced(codes('429')), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 20, expect: { share: { 'a/1': 1 } } }] },
  { title: 'with others named, 503 is no error', services: failing, rule: balanced(codes('429, 500')), loose: ['statuses'], asks: [{ times: 40, expect: { share: { 'a/0': 0.5 } } }] },
  { title: 'endpoints with the label come first', services: two, rule: preferring('version=v2', outliers(100)), asks: [{ times: 30, expect: { share: { 'a/1': 1 } } }] },
  { title: 'endpoints with the label come first only with outlier detection', services: two, rule: preferring('version=v2'), issues: /failoverPriority: has no effect without outlierDetection/, asks: [{ times: 40, expect: { share: { 'a/1': 0.5 } } }] },
  { title: 'when those that come first are ejected, the others get all', services: failing, rule: preferring('version=v1', outliers(100)), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 20, expect: { share: { 'a/1': 1 } } }] },
  { title: 'a cookie is made where a client has none', services: two, rule: cookie(', ttl: 60s, path: /p, attributes: [{ name: SameSite, value: Lax }]'), loose: ['reply.headers.set-cookie', 'deliveries'],
    asks: [{ expect: { headers: { 'set-cookie': /^sid="[0-9a-f]{16}"; Max-Age=60; Path=\/p; SameSite=Lax; HttpOnly$/ } } }, { headers: { cookie: 'sid=mine' }, expect: { headers: { 'set-cookie': null } } }] },
  { title: 'a cookie for the session has no age', services: two, rule: cookie(', ttl: 0s'), loose: ['reply.headers.set-cookie'], asks: [{ expect: { headers: { 'set-cookie': /^sid="[0-9a-f]{16}"; HttpOnly$/ } } }] },
  { title: 'a cookie without a time to live is never made', services: two, rule: cookie(''), asks: [{ expect: { headers: { 'set-cookie': null } } }] },
  { title: 'distribute gives localities their shares, and nothing to one that it does not name', services: at('r.z1', 'r.z2', 'far.z1'), rule: placed("{ distribute: [{ from: 'r/z1/*', to: { 'r/z1/*': 80, 'r/z2/*': 20 } }] }"), asks: [{ times: 200, expect: { share: { 'a/0': 0.8, 'a/1': 0.2 } } }] },
  { title: 'without outlier detection no locality is preferred', services: at('r.z1', 'r.z2'), rule: placed('{}'), asks: [{ times: 100, expect: { share: { 'a/0': 0.5, 'a/1': 0.5 } } }] },
  { title: 'with outlier detection the own locality takes all', services: at('r.z2', 'r.z1', 'far.z1'), rule: placed('{}', outliers(100)), asks: [{ times: 60, expect: { share: { 'a/1': 1 } } }] },
  { title: 'half of the own locality ejected, three in ten go to the next one', services: at('r.z1!', 'r.z1', 'r.z2'), rule: placed('{}', outliers(100)), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 200, expect: { share: { 'a/1': 0.7, 'a/2': 0.3 } } }] },
  { title: 'all of the own locality ejected, the region that failover names takes all', services: at('r.z1!', 'far.z1', 'near.z1'), rule: placed('{ failover: [{ from: r, to: near }] }', outliers(100)), loose: ['statuses'], asks: [{ times: 20, expect: {} }, { times: 60, expect: { share: { 'a/2': 1 } } }] },
  { title: 'zones alone change nothing where nobody knows of other proxies', services: at('r.z1', 'r.z2'), rule: 'trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN, zoneAwareLbSetting: { minClusterSize: 1 } } }', loose: ['deliveries'], asks: [{ times: 60, expect: {} }] },
]
