// What the traffic specification names as worth a test and no other table has: who wins where two things could.
import type { Case } from '../case.ts'
import { one } from '../case.ts'

const two = { services: { a: {}, b: {} } }
const external = (more = '') => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: $ns }
spec: { hosts: [out.$ns.example], location: MESH_EXTERNAL, resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: $backend }], endpoints: [{ address: $net.251.1 }]${more} }`
const server = (host: string): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: own, namespace: $ns }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: $port, name: http, protocol: HTTP }, hosts: ["${host}"] }] }
---`
const rule = (name: string, hosts: string, http: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: $ns }
spec: { hosts: [${hosts}], gateways: [own, edge/edge], http: ${http} }
---`

export const promises: readonly Case[] = [
  { title: 'a retry stays with the service that was drawn', ...two, services: { a: { answers: [503] }, b: {} }, asks: [{ times: 400, expect: { share: { a: 0.75, b: 0.25 } } }], loose: ['statuses'],
    http: '[{ retries: { attempts: 2, retryOn: 5xx }, route: [{ destination: { host: a }, weight: 50 }, { destination: { host: b }, weight: 50 }] }]' },
  one('a mirror of no request gets none', '[{ route: [{ destination: { host: a } }], mirror: { host: b }, mirrorPercentage: { value: 0 } }]', { expect: { status: 200, to: ['a'] } }, { ...two, issues: /./ }),
  { title: 'on a port for HTTP the host counts, wherever the connection was going', asks: [{ to: '203.0.113.7', port: 80, expect: { status: 200, to: ['a'] } }] },
  { title: 'a service outside of the mesh is reached where only the registry may be', role: 'strict', yaml: external(), asks: [{ host: 'out.$ns.example', expect: { status: 599, cluster: 'outbound|80||out.$ns.example' } }, { host: 'other.$ns.example', expect: { status: 502, to: [] } }] },
  { title: 'gateway: a server for hosts of another namespace takes no rule of this one', role: 'gateway', yaml: server('elsewhere/*') + rule('in', 'in.$ns.example', '[{ route: [{ destination: { host: a } }] }]'),
    asks: [{ port: 1, host: 'in.$ns.example', expect: { status: 404, flags: 'NR', to: [] } }], issues: /./ },
  { title: 'gateway: a server for one host takes that one of a rule for all below it', role: 'gateway', yaml: server('one.$ns.example') + rule('wide', '"*.$ns.example"', '[{ route: [{ destination: { host: a } }] }]'),
    asks: [{ port: 1, host: 'one.$ns.example', expect: { status: 200 } }, { port: 1, host: 'two.$ns.example', expect: { status: 404, flags: 'NR' } }] },
  { title: 'gateway: a match for one gateway is none at another', role: 'gateway', yaml: server('m.$ns.example') + rule('some', 'm.$ns.example', '[{ name: own, match: [{ uri: { prefix: /own }, gateways: [own] }], route: [{ destination: { host: a } }] }, { name: both, match: [{ uri: { prefix: /both } }], route: [{ destination: { host: a } }] }]'),
    asks: [
      { port: 1, host: 'm.$ns.example', path: '/own', expect: { status: 200, route: 'own' } }, { host: 'm.$ns.example', path: '/own', expect: { status: 404, flags: 'NR' } },
      { host: 'm.$ns.example', path: '/both', expect: { status: 200, route: 'both' } },
    ] },
  { title: 'gateway: a redirect keeps the port that was asked for, unless its scheme is another', role: 'gateway', yaml: server('r.$ns.example') + rule('away', 'r.$ns.example', '[{ match: [{ uri: { prefix: /s } }], redirect: { scheme: https, uri: /x } }, { redirect: { uri: /x } }]'),
    asks: [
      { port: 1, host: 'r.$ns.example:8080', path: '/p', expect: { status: 301, headers: { location: /^http:\/\/r\.c\d+\.example:8080\/x$/ } } },
      { port: 1, host: 'r.$ns.example:8080', path: '/s', expect: { status: 301 } },
    ] },
]
