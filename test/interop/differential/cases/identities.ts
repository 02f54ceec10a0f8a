// Who a client is by its certificate, in policies of a workload: requests and bytes over mutual TLS, each policy for the port
// of its case.
import type { Ask, Case, Expected } from '../case.ts'
import { accessLogFormat } from '../mesh-files.ts'

const identity = (id: string, serverName?: string): Pick<Ask, 'mutual'> => ({ mutual: { identity: `spiffe://${id}`, ...(serverName === undefined ? {} : { serverName }) } })

const buyer = 'cluster.local/ns/shop/sa/buyer'
const seller = 'cluster.local/ns/shop/sa/seller'
const other = 'cluster.local/ns/shopping/sa/buyer'

/** What a path demands of its client, and who has it. */
const demands: readonly (readonly [path: string, { readonly from?: object; readonly when?: object; readonly good: readonly string[]; readonly bad: readonly string[] }])[] = [
  ['/exact', { from: { notPrincipals: [buyer] }, good: [buyer], bad: [seller, other] }],
  ['/prefix', { from: { notPrincipals: ['cluster.local/ns/shop/*'] }, good: [buyer, seller], bad: [other] }],
  ['/suffix', { from: { notPrincipals: ['*/sa/buyer'] }, good: [buyer, other], bad: [seller] }],
  ['/any', { from: { notPrincipals: ['*'] }, good: [buyer, other], bad: [] }],
  ['/namespace', { from: { notNamespaces: ['shop'] }, good: [buyer, seller], bad: [other] }],
  ['/namespaces', { from: { notNamespaces: ['shop*'] }, good: [buyer, other], bad: ['cluster.local/ns/web/sa/shop'] }],
  ['/account', { from: { notServiceAccounts: ['shop/buyer'] }, good: [buyer], bad: [seller, other] }],
  ['/own-account', { from: { notServiceAccounts: ['buyer'] }, good: ['cluster.local/ns/client/sa/buyer'], bad: [buyer] }],
  ['/domain', { from: { notTrustDomains: ['cluster.*'] }, good: [buyer], bad: [] }],
  ['/when', { when: { key: 'source.principal', notValues: [buyer] }, good: [buyer], bad: [seller] }],
  ['/when-namespace', { when: { key: 'source.namespace', notValues: ['shop'] }, good: [seller], bad: [other] }],
]

const policy = (rules: readonly object[]): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: $ns-who, namespace: client }
spec: ${JSON.stringify({ action: 'DENY', rules })}
---`

const fine: Expected = { status: 200, to: ['a'] }
const denied: Expected = { status: 403, body: 'RBAC: access denied', to: [] }
/** Ours decides when a connection comes; Envoy connects upstream, and looks at it when its first bytes have come. */
const beforeAnythingElse = ['log.received', 'log.upstream']
const bytes = 'GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'

export const identities: readonly Case[] = [
  {
    title: 'identities of certificates, in requests', role: 'inbound',
    yaml: policy(demands.map(([path, { from, when }]) => ({ to: [{ operation: { ports: ['$inport'], paths: [path] } }], ...(from !== undefined && { from: [{ source: from }] }), ...(when !== undefined && { when: [when] }) }))),
    asks: [
      ...demands.flatMap(([path, { good, bad }]) => [
        ...good.map((id) => ({ path, ...identity(id), expect: fine })), ...bad.map((id) => ({ path, ...identity(id), expect: denied })),
        { path, headers: { 'x-forwarded-client-cert': `URI=spiffe://${buyer}` }, expect: denied },
      ]),
      { path: '/else', ...identity(other), headers: { 'x-forwarded-client-cert': `URI=spiffe://${buyer}` }, expect: { ...fine, seen: { 'x-forwarded-client-cert': new RegExp(`URI=spiffe://${other}$`) } } },
      { path: '/else', ...identity('elsewhere.test/ns/shop/sa/buyer'), expect: { status: 0, to: [] } },
    ],
  },
  {
    title: 'identities of certificates, on a port for bytes', role: 'inbound', services: { a: { port: { name: 'tcp', number: 80 } } }, loose: beforeAnythingElse,
    yaml: policy([{ to: [{ operation: { ports: ['$inport'] } }], from: [{ source: { notPrincipals: [buyer] } }] }]),
    asks: [{ raw: bytes, ...identity(buyer), expect: fine }, { raw: bytes, ...identity(seller), expect: { status: 0, to: [] } }, { raw: bytes, expect: { status: 0, to: [] } }],
  },
  {
    title: 'the server name that a client asked for', role: 'inbound',
    yaml: policy([{ to: [{ operation: { ports: ['$inport'] } }], when: [{ key: 'connection.sni', notValues: ['outbound_*', 'me'] }] }]),
    asks: [{ ...identity(buyer, 'outbound_.80_._.a'), expect: fine }, { ...identity(buyer, 'me'), expect: fine }, { ...identity(buyer, 'you'), expect: denied }, { ...identity(buyer), expect: denied }, { expect: denied }],
  },
  {
    title: 'everybody with a certificate, but for one path', role: 'inbound',
    yaml: policy([{ to: [{ operation: { ports: ['$inport'], notPaths: ['/healthz'] } }], from: [{ source: { principals: ['*'] } }] }]),
    asks: [{ path: '/healthz', ...identity(buyer), expect: fine }, { path: '/x', ...identity(buyer), expect: denied }, { path: '/x', expect: fine }],
  },
]

/** A mesh that was called otherwise before: who comes by its old name, and policies that still name it. */
export const aliases: readonly Case[] = [
  {
    title: 'principals of a trust domain and of its aliases', role: 'inbound',
    yaml: `${policy([
      { to: [{ operation: { ports: ['$inport'], paths: ['/new'] } }], from: [{ source: { notPrincipals: [buyer] } }] },
      { to: [{ operation: { ports: ['$inport'], paths: ['/old'] } }], from: [{ source: { notPrincipals: ['old.test/ns/shop/sa/buyer'] } }] },
      { to: [{ operation: { ports: ['$inport'], paths: ['/foreign'] } }], from: [{ source: { notPrincipals: ['foreign.test/ns/shop/sa/buyer'] } }] },
    ])}
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    ${JSON.stringify({ accessLogFile: '/dev/stdout', accessLogFormat, trustDomainAliases: ['old.test'] })}
`,
    asks: [
      ...['/new', '/old'].flatMap((path) => ['cluster.local', 'old.test'].map((domain) => ({ path, ...identity(`${domain}/ns/shop/sa/buyer`), expect: fine }))),
      { path: '/foreign', ...identity(buyer), expect: denied }, { path: '/old', ...identity(seller), expect: denied },
      { path: '/new', ...identity('foreign.test/ns/shop/sa/buyer'), expect: { status: 0, to: [] } },
    ],
  },
]
