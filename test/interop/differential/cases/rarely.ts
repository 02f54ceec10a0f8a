// What is rarely asked for: retries that wait or go elsewhere, hosts that are looked up on demand.
import type { Case } from '../case.ts'
import { one } from '../case.ts'

const to = 'route: [{ destination: { host: a } }]'

export const rarely: readonly Case[] = [
  one('a retry on 429 waits as long as the server says', `[{ ${to}, retries: { attempts: 2, retryOn: "429" } }]`, { expect: { status: 200, to: ['a', 'a'], atLeastMs: 950 } },
    { services: { a: { answers: [{ status: 429, headers: [['retry-after', '1']] }, 200] } } }),
  one('retries that may leave their locality', `[{ ${to}, retries: { attempts: 3, retryOn: 5xx, retryRemoteLocalities: true } }]`, { expect: { status: 200, to: ['a', 'a', 'a'] } },
    { services: { a: { answers: [503, 503, 200] } } }),
  {
    title: 'a host that is looked up on demand is taken', http: `[{ ${to} }]`, asks: [{ expect: { status: 200, to: ['a'] } }],
    yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: on-demand, namespace: $ns }
spec: { hosts: ["*.on-demand.invalid"], resolution: DYNAMIC_DNS, ports: [{ number: 80, name: http, protocol: HTTP }], exportTo: ["*"] }`,
  },
]
