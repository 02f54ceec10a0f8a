// CONNECT and upgrades. Nothing that Istio's resources can say makes a proxy the end of a tunnel, or leads CONNECT on: it finds no
// route, whatever rules say of methods. Ports of HTTP proxies are declared as TCP; then it passes as bytes.
import { one, unlike } from '../case.ts'
import type { Case } from '../case.ts'

const far = 'CONNECT far.example:443 HTTP/1.1\r\nhost: far.example:443\r\n\r\n'
const named = 'CONNECT $host:80 HTTP/1.1\r\nhost: $host:80\r\n\r\n'
const plain = '[{ route: [{ destination: { host: a.$ns.svc.cluster.local } }] }]'
const byMethod = '[{ match: [{ method: { exact: CONNECT } }], route: [{ destination: { host: a.$ns.svc.cluster.local } }] }]'
const nowhere = { status: 404, flags: 'NR', details: 'route_not_found', to: [] }
const websocket = { http2: true, method: 'CONNECT', path: '/chat', headers: { ':protocol': 'websocket', 'sec-websocket-version': '13' }, body: 'hello' } as const
/** Istio does not turn RFC 8441 on in Envoy, which takes `:protocol` for a mistake then. */
const offered = unlike('WebSocket is served over HTTP/2 too', { status: 0, to: [] })

export const connects: readonly Case[] = [
  ...(['outbound', 'gateway', 'inbound'] as const).flatMap((role): Case[] => {
    const http = role === 'inbound' ? {} : { http: plain }
    return [
      { title: `CONNECT, ${role}`, role, ...http, asks: [{ raw: named, expect: nowhere }] },
      { title: `CONNECT with something behind it, ${role}`, role, ...http, asks: [{ raw: `${named}GET / HTTP/1.1\r\nhost: $host\r\n\r\n`, expect: { status: 404, to: [] } }], loose: ['reply.body', 'reply.error', 'log'] },
      { title: `CONNECT over HTTP/2, ${role}`, role, ...http, asks: [{ http2: true, method: 'CONNECT', host: '$host:80', body: 'x', expect: nowhere }] },
      { title: `WebSocket over HTTP/2, ${role}`, role, ...http, asks: [{ ...websocket, expect: { status: 200, body: 'hello', seen: { upgrade: 'websocket', connection: /upgrade/i }, path: '/chat' }, ...offered }] },
      { title: `a protocol over HTTP/2 that nothing allows, ${role}`, role, ...http, asks: [{ ...websocket, headers: { ':protocol': 'connect-udp' }, expect: { status: 403, to: [] }, ...offered }] },
    ]
  }),
  one('CONNECT to a host that nobody declared', plain, { raw: far, expect: nowhere }),
  one('CONNECT by a rule for its method', byMethod, { raw: named, expect: nowhere }),
  one('CONNECT by a rule for its method, over HTTP/2', byMethod, { http2: true, method: 'CONNECT', host: '$host:80', body: 'x', expect: nowhere }),
  { title: 'CONNECT to an HTTP proxy whose port is declared as TCP', services: { a: { port: { name: 'tcp', number: 3128 } } }, asks: [{ raw: `${far}hello`, expect: { status: 200, body: 'hello', to: ['a'], cluster: 'outbound|3128||a.$ns.svc.cluster.local' } }] },
  { title: 'CONNECT to an HTTP proxy whose port is declared as HTTP', services: { a: { port: { name: 'http', number: 3129 } } }, asks: [{ raw: `${far}hello`, expect: { status: 404, to: [] } }] },
  { title: 'CONNECT to an HTTP proxy whose port says nothing', services: { a: { port: { name: 'main', number: 3130 } } }, asks: [{ raw: `${far}hello`, expect: { status: 404, to: [] } }] },
]
