// What is rarely asked for: retries that wait or go elsewhere, hosts that are looked up.
import type { Case } from '../case.ts'
import { one } from '../case.ts'

const to = 'route: [{ destination: { host: a } }]'

const external = (resolution: string, endpoints: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: $ns }
spec: { hosts: [out.$ns.example], location: MESH_EXTERNAL, resolution: ${resolution}, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: $backend }], endpoints: ${endpoints} }`

export const rarely: readonly Case[] = [
  ...['DNS', 'DNS_ROUND_ROBIN'].flatMap((resolution): Case[] => [
    { title: `a service outside of the mesh whose endpoints are looked up, ${resolution}`, yaml: external(resolution, '[{ address: $net.251.1 }]'), asks: [{ host: 'out.$ns.example', expect: { status: 599, cluster: 'outbound|80||out.$ns.example' } }] },
    { title: `a service outside of the mesh where nobody listens at the name, ${resolution}`, yaml: external(resolution, '[{ address: localhost, ports: { http: 1 } }]'), asks: [{ host: 'out.$ns.example', expect: { status: 503, flags: 'UF,URX' } }] },
  ]),
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
