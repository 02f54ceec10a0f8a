// Gateways that end TLS, by curl: which certificate, whose routes, and what is said to whom does not fit.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority } from '../../../support/certificates.ts'
import { unlike } from '../case.ts'
import type { Case } from '../case.ts'

const authority = createAuthority()
/** curl reads from files. */
const folder = mkdtempSync(join(tmpdir(), 'trysail-client-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
function fileOf(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const clients = createAuthority('clients')
const client = clients.issue('DNS:client.tls.example,URI:spiffe://a.example/client')
const shown = ['--cert', fileOf('client.pem', client.chain), '--key', fileOf('client.key', client.key)]
const one = authority.issue('DNS:one.tls.example,DNS:*.wild.tls.example')
const two = authority.issue('DNS:two.tls.example')
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const secret = (name: string, { chain, key }: { readonly chain: string; readonly key: string }): string => `
apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: edge }
type: kubernetes.io/tls
data: { tls.crt: ${base64(chain)}, tls.key: ${base64(key)} }
---`
const server = (name: string, host: string, credential: string, more = ''): string => `{ port: { number: $port, name: ${name}, protocol: HTTPS }, hosts: ["${host}"], tls: { mode: SIMPLE, credentialName: ${credential}${more} } }`
const gateway = (servers: readonly string[]): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: own, namespace: $ns }
spec: { selector: { istio: ingressgateway }, servers: [${servers.join(', ')}] }
---`
const routes = (name: string, host: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: $ns }
spec: { hosts: ["${host}"], gateways: [own], http: [{ name: ${name}, route: [{ destination: { host: a } }] }] }
---`
/** Asks for a URL where the gateway stands, in HTTP/1.1: ours offers nothing else. */
const curl = (url: string, ...more: readonly string[]): readonly string[] => ['-k', '--http1.1', '--connect-to', '::$at', url, ...more]

const yaml = [secret('one-$ns', one), secret('two-$ns', two), gateway([server('one', 'one.tls.example', 'one-$ns'), server('wild', '*.wild.tls.example', 'one-$ns'), server('two', 'two.tls.example', 'two-$ns')]), routes('one', 'one.tls.example'), routes('wild', '*.wild.tls.example'), routes('two', 'two.tls.example')].join('')

const mutual = (mode: string): string => [
  secret('one-$ns', one).replace('\ndata: {', `\ndata: { ca.crt: ${base64(clients.roots)},`),
  gateway([server('one', 'one.tls.example', 'one-$ns').replace('SIMPLE', mode)]), routes('one', 'one.tls.example'),
].join('')
const ofTheMesh = gateway([`{ port: { number: $port, name: https, protocol: HTTPS }, hosts: ["one.tls.example"], tls: { mode: ISTIO_MUTUAL } }`]) + routes('one', 'one.tls.example')
/** curl may notice a refusal while it reads or while it still writes. */
const whenNoticed = ['reply.error']
const passed = ['reply.error', 'log.bytes']
const ownWord = { 'x-forwarded-client-cert': 'Hash=00;URI=spiffe://cluster.local/ns/a/sa/b' }

export const tlsGateways: readonly Case[] = [
  { title: 'gateway: a server is told whose certificate the client showed', role: 'gateway', yaml: mutual('MUTUAL'), loose: whenNoticed, asks: [
    { port: 1, host: 'one.tls.example', headers: ownWord, curl: curl('https://one.tls.example/x', ...shown), expect: { status: 200, seen: { 'x-forwarded-client-cert': /^Hash=[0-9a-f]{64};Cert="-----BEGIN%20CERTIFICATE-----%0A.*%0A";Subject=".*";URI=spiffe:\/\/a\.example\/client;DNS=client\.tls\.example$/ } } },
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x'), expect: { status: 0, to: [] } },
  ] },
  { title: 'gateway: a client may show a certificate, and what it says of itself without one goes', role: 'gateway', yaml: mutual('OPTIONAL_MUTUAL'), asks: [
    { port: 1, host: 'one.tls.example', headers: ownWord, curl: curl('https://one.tls.example/x', ...shown), expect: { status: 200, seen: { 'x-forwarded-client-cert': /;URI=spiffe:\/\/a\.example\/client;/ } } },
    { port: 1, host: 'one.tls.example', headers: ownWord, curl: curl('https://one.tls.example/x'), expect: { status: 200, seen: { 'x-forwarded-client-cert': null } } },
  ] },
  { title: 'gateway: TLS is ended, by server name', role: 'gateway', yaml, asks: [
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x'), expect: { status: 200, body: 'a\n', route: 'one', path: '/x', seen: { 'x-forwarded-proto': 'https' } } },
    { port: 1, host: 'two.tls.example', curl: curl('https://two.tls.example/x'), expect: { status: 200, route: 'two' } },
    { port: 1, host: 'b.wild.tls.example', curl: curl('https://b.wild.tls.example/x'), expect: { status: 200, route: 'wild' } },
    { port: 1, host: 'three.tls.example', curl: curl('https://three.tls.example/x'), expect: { status: 0, flags: 'NR' } },
    { port: 1, host: 'two.tls.example', curl: curl('https://one.tls.example/x'), expect: { status: 421, to: [] } },
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x', '--tls-max', '1.1'), expect: { status: 0 } },
  ] },
  // The backend speaks no TLS: what counts is where the bytes went.
  { title: 'gateway: TLS is passed on, by server name', role: 'gateway', loose: passed, asks: [
    { port: 1, host: 'one.pass.example', curl: curl('https://one.pass.example/x'), expect: { status: 0 } },
    { port: 1, host: 'other.pass.example', curl: curl('https://other.pass.example/x'), expect: { status: 0, flags: 'NR' } },
  ], yaml: `${gateway([`{ port: { number: $port, name: tls, protocol: TLS }, hosts: ["one.pass.example"], tls: { mode: PASSTHROUGH } }`])}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: pass, namespace: $ns }
spec: { hosts: ["one.pass.example"], gateways: [own], tls: [{ match: [{ sniHosts: ["one.pass.example"] }], route: [{ destination: { host: a } }] }] }
---` },
  // Nobody has that name: what counts is that both take it, and look it up.
  { title: 'gateway: TLS is passed on to a name that is looked up on demand', role: 'gateway', loose: passed, asks: [
    { port: 1, host: 'one.tls-demand.invalid', curl: curl('https://one.tls-demand.invalid/x'), expect: { status: 0, to: [], flags: 'UF,URX' }, ...unlike('ours says that DNS failed, as for requests of HTTP', { status: 0, to: [], flags: 'UH' }) },
    { port: 1, host: 'one.other-demand.invalid', curl: curl('https://one.other-demand.invalid/x'), expect: { status: 0, flags: 'NR' } },
  ], yaml: `${gateway([`{ port: { number: $port, name: tls, protocol: TLS }, hosts: ["*.tls-demand.invalid"], tls: { mode: PASSTHROUGH } }`])}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: demand, namespace: $ns }
spec: { hosts: ["*.tls-demand.invalid"], resolution: DYNAMIC_DNS, ports: [{ number: 443, name: tls, protocol: TLS }], exportTo: ["*"] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: demand, namespace: $ns }
spec: { hosts: ["*.tls-demand.invalid"], gateways: [own], tls: [{ match: [{ sniHosts: ["*.tls-demand.invalid"] }], route: [{ destination: { host: "*.tls-demand.invalid", port: { number: 443 } } }] }] }
---` },
  { title: 'gateway: TLS is passed on by the name of a cluster, to those that end it themselves', role: 'gateway', loose: passed, services: { a: { hosts: [{ labels: { 'security.istio.io/tlsMode': 'istio' } }] }, b: {} }, asks: [
    { port: 1, host: 'outbound_.80_._.a.$ns.svc.cluster.local', curl: curl('https://outbound_.80_._.a.$ns.svc.cluster.local/x'), expect: { status: 0 } },
    { port: 1, host: 'outbound_.80_._.b.$ns.svc.cluster.local', curl: curl('https://outbound_.80_._.b.$ns.svc.cluster.local/x'), expect: { status: 0 } },
    { port: 1, host: 'outbound_.81_._.a.$ns.svc.cluster.local', curl: curl('https://outbound_.81_._.a.$ns.svc.cluster.local/x'), expect: { status: 0 } },
  ], yaml: gateway([`{ port: { number: $port, name: tls, protocol: TLS }, hosts: ["*.local"], tls: { mode: AUTO_PASSTHROUGH } }`]) },
  { title: "gateway: the mesh's own mutual TLS asks for a certificate", role: 'gateway', loose: whenNoticed, asks: [
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x'), expect: { status: 0, to: [] } },
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x', ...shown), expect: { status: 0, to: [] } },
  ], yaml: ofTheMesh },
  { title: "gateway: the mesh's own mutual TLS lets a workload in, and says who it is", role: 'gateway', yaml: ofTheMesh, asks: [
    { port: 1, host: 'one.tls.example', headers: ownWord, curl: curl('https://one.tls.example/x', '--cert', '$cert', '--key', '$key'),
      expect: { status: 200, route: 'one', seen: { 'x-forwarded-client-cert': /^By=spiffe:\/\/cluster\.local\/ns\/edge\/sa\/edge;Hash=[0-9a-f]{64};Cert=".*";Subject=".*";URI=spiffe:\/\/cluster\.local\/ns\/client\/sa\/client$/ } } },
    { port: 1, host: 'other.tls.example', curl: curl('https://other.tls.example/x', '--cert', '$cert', '--key', '$key'), expect: { status: 0, flags: 'NR' } },
  ] },
]
