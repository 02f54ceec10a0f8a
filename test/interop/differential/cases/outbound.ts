// Outbound policy: who is reached by an address, a name of a member or nothing that is known, where everything may be reached and
// where only the registry may be.
import type { Ask, Case } from '../case.ts'

const bytes: Ask = { raw: 'GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', expect: {} }
const two = [{}, {}]
const headlessHttp = { a: { headless: true, hosts: two, port: { name: 'http', number: 0 } } }
const headlessBytes = { a: { headless: true, hosts: two, port: { name: 'tcp', number: 0 } } }

/** Their words on why differ; not what became of the connection. */
const unreachable = ['reply.body', 'log.failure', 'log.details', 'log.sent', 'reply.headers.content-length']
const moreSaid = ['log.details', 'log.termination', 'log.failure', 'log.sent', 'log.received']

/** In both roles: one may reach everything, the other only what the registry knows. */
const both = (title: string, more: Omit<Case, 'title' | 'role'>): Case[] => [{ title, ...more }, { title: `${title}, where only the registry may be reached`, role: 'strict', ...more }]

const entry = (spec: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: entry, namespace: $ns }
spec: { location: MESH_EXTERNAL, ${spec} }`

/** A port that no service has: nothing but the capture's own listener is there for it. */
const unknownPort = 7998
const toOther = (expect: Ask['expect']): Ask => ({ to: '$net.250.9', port: unknownPort, raw: 'hello', expect })

/** Two of the same range and port would be one. */
const range = (title: string, port: number): Case => ({
  title,
  yaml: entry(`hosts: [range.$ns.example], addresses: [$net.0.0/16], resolution: NONE, ports: [{ number: ${port}, name: tcp, protocol: TCP }]`),
  asks: [{ to: '$net.250.9', port, raw: 'hello', expect: { status: 0, cluster: `outbound|${port}||range.$ns.example`, flags: 'UF,URX' } }], loose: moreSaid,
})

/** Neither client asks us for names: none knows of the address that the entry was given. */
const allocated = (title: string, port: number): Case => ({
  title,
  yaml: entry(`hosts: [db.$ns.example], resolution: STATIC, ports: [{ number: ${port}, name: tcp, protocol: TCP, targetPort: $backend }], endpoints: [{ address: $net.251.1 }]`),
  asks: [{ ...bytes, to: '$net.250.9', port, expect: { status: 599, cluster: `outbound|${port}||db.$ns.example` } }],
  issues: /carries no name of a host/,
})

export const outbound: readonly Case[] = [
  ...both('members of a headless service for HTTP are reached each at its address, whatever it is called', {
    services: headlessHttp,
    asks: [
      { to: 'a/0', expect: { status: 200, to: ['a/0'], cluster: /^outbound\|\d+\|\|a\.\$ns\./ } },
      { to: 'a/1', expect: { status: 200, to: ['a/1'] } },
      { to: 'a/1', host: 'a-0.$host', expect: { status: 200, to: ['a/1'], cluster: /^outbound\|/ } },
      { to: 'a/0', host: 'a-0.a.$ns.svc', expect: { status: 200, to: ['a/0'], cluster: /^outbound\|/ } },
      { to: 'a/0', host: 'a-0.a.$ns:1234', expect: { status: 200, to: ['a/0'], cluster: /^outbound\|/ } },
    ],
  }),
  ...both('members of a headless service for bytes are reached each at its address', {
    services: headlessBytes,
    asks: [
      { ...bytes, to: 'a/0', expect: { status: 200, to: ['a/0'], cluster: /^outbound\|\d+\|\|a\.\$ns\./, flags: '-' } },
      { ...bytes, to: 'a/1', expect: { status: 200, to: ['a/1'], cluster: /^outbound\|/ } },
    ],
  }),
  { title: 'a workload is reached directly at its address, which no service has', services: { a: { hosts: two } },
    asks: [{ to: 'a/1', host: '$to', expect: { status: 200, to: ['a/1'], cluster: 'PassthroughCluster' } }, { ...bytes, to: 'a/0', expect: { status: 200, to: ['a/0'], cluster: 'PassthroughCluster' } }] },
  { title: 'a workload is not reached directly at its address where only the registry may be reached', role: 'strict', services: { a: { hosts: two } },
    asks: [{ to: 'a/1', host: '$to', expect: { status: 502, to: [], route: 'block_all' } }, { to: 'a/1', raw: 'SSH-2.0-x\r\n\r\n', expect: { status: 0, to: [], cluster: 'BlackHoleCluster', flags: 'UH' } }], loose: moreSaid },
  ...both('a service is reached at its address, by which it is called', {
    services: { a: {} }, asks: [{ host: '$to', expect: { status: 200, to: ['a'], cluster: 'outbound|80||a.$ns.svc.cluster.local' } }],
  }),
  ...both('whom a request is for counts more than the address that it goes to', {
    services: { a: {}, b: {} }, asks: [{ to: 'a', host: 'b.$ns.svc.cluster.local', expect: { status: 200, to: ['b'], cluster: 'outbound|80||b.$ns.svc.cluster.local' } }],
  }),
  { title: 'the address of a service under a name that nobody knows is where the request goes', services: { a: {} },
    asks: [{ host: 'unknown.example', expect: { status: 503, to: [], cluster: 'PassthroughCluster', route: 'allow_any' } }], loose: unreachable },
  { title: 'the address of a service under a name that nobody knows is refused where only the registry may be reached', role: 'strict', services: { a: {} },
    asks: [{ host: 'unknown.example', expect: { status: 502, to: [], body: '', route: 'block_all' } }] },
  { title: 'an unknown address on an unknown port is where the bytes go', asks: [toOther({ status: 0, cluster: 'PassthroughCluster', flags: 'UF,URX' })], loose: moreSaid },
  { title: 'an unknown address on an unknown port is closed where only the registry may be reached', role: 'strict', asks: [toOther({ status: 0, cluster: 'BlackHoleCluster', flags: 'UH' })], loose: moreSaid },
  ...both('what does not look like HTTP, to an unknown address on a port for HTTP', { services: { a: {} }, asks: [{ to: '$net.250.9', raw: 'SSH-2.0-x\r\n\r\n', expect: { status: 0 } }], loose: moreSaid }),
  ...both('a server name on an unknown port says nothing', { asks: [{ to: '$net.250.9', port: 7443, raw: Buffer.from('1603010005010000010303', 'hex').toString('latin1'), expect: { status: 0 } }], loose: moreSaid }),
  range('a range of addresses is reached each at its own', 7997),
  { ...range('a range of addresses is reached each at its own, where only the registry may be reached', 7996), role: 'strict' },
  allocated('an entry for bytes without addresses is reached at whatever its name stands for', 7995),
  { ...allocated('an entry for bytes without addresses is reached at whatever its name stands for, where only the registry may be reached', 7994), role: 'strict' },
  ...both('an entry without resolution is reached where the client was going, by its name', {
    services: { a: { hosts: two } },
    yaml: entry('hosts: [none.$ns.example], resolution: NONE, ports: [{ number: $backend, name: http, protocol: HTTP }]'),
    asks: [{ to: 'a/1', host: 'none.$ns.example', expect: { status: 200, to: ['a/1'], cluster: /^outbound\|\d+\|\|none\.\$ns\.example$/ } }],
  }),
  ...both('a wildcard without resolution is reached where the client was going, by any name below it', {
    services: { a: { hosts: two } },
    yaml: entry("hosts: ['*.wild-$ns.example'], resolution: NONE, ports: [{ number: $backend, name: http, protocol: HTTP }]"),
    asks: [{ to: 'a/0', host: 'x.y.wild-$ns.example', expect: { status: 200, to: ['a/0'], cluster: /^outbound\|\d+\|\|\*\.wild-\$ns\.example$/ } }],
  }),
]
