// Gateways that end TLS, by curl: which certificate, whose routes, and what is said to whom does not fit.
import { createAuthority } from '../../../support/certificates.ts'
import { unlike } from '../case.ts'
import type { Case } from '../case.ts'

const authority = createAuthority()
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

export const tlsGateways: readonly Case[] = [
  { title: 'gateway: TLS is ended, by server name', role: 'gateway', yaml, asks: [
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x'), expect: { status: 200, body: 'a\n', route: 'one', path: '/x', seen: { 'x-forwarded-proto': 'https' } } },
    { port: 1, host: 'two.tls.example', curl: curl('https://two.tls.example/x'), expect: { status: 200, route: 'two' } },
    { port: 1, host: 'b.wild.tls.example', curl: curl('https://b.wild.tls.example/x'), expect: { status: 200, route: 'wild' } },
    { port: 1, host: 'three.tls.example', curl: curl('https://three.tls.example/x'), expect: { status: 0, flags: 'NR' }, ...unlike('not as Envoy yet: the log of a connection without a chain does not name the server that was asked for', { status: 0, flags: 'NR' }) },
    { port: 1, host: 'two.tls.example', curl: curl('https://one.tls.example/x'), expect: { status: 421, to: [] } },
    { port: 1, host: 'one.tls.example', curl: curl('https://one.tls.example/x', '--tls-max', '1.1'), expect: { status: 0 } },
  ] },
]
