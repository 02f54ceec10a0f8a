// AuthorizationPolicies on real sockets: a mesh as `trysail run` makes it, certificates of its CA, requests and bytes, and
// what becomes of those that a new policy does not allow any more.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Stream } from 'node:http2'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { findRunning } from '../../src/cli/running.ts'
import { formatAddress } from '../../src/model/address.ts'
import { openIdentity } from '../../src/proxy/identity/identity.ts'
import { startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

interface Shown {
  readonly cert: string
  readonly key: string
}

const patienceMs = 10_000
const servers: Server[] = []
let world: LocalMesh
/** Of `default/client` and `shop/buyer`. */
let client: Shown
let buyer: Shown
let httpPort = 0
let bytesPort = 0

before(async () => {
  httpPort = await listening(createHttpServer((request, response) => {
    response.write('hello')
    if (request.url !== '/stream') response.end()
  }))
  bytesPort = await listening(createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  }))
  world = await startLocalMesh({ 'mesh.yaml': meshFile() }, { watch: true })
  client = await identityOf('default', 'client')
  buyer = await identityOf('shop', 'buyer')
})

after(async () => {
  await world[Symbol.asyncDispose]()
  for (const server of servers) server.close()
})

async function listening(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function identityOf(namespace: string, serviceAccount: string): Promise<Shown> {
  const { control } = world.mesh
  const id = { trustDomain: control.trustDomain, namespace, serviceAccount }
  const identity = openIdentity({ id, ca: { address: control.xds, tls: { roots: control.roots, serverName: '' } }, bearer: () => control.bootstrapToken(id) })
  await identity.whenReady
  const { chain, key } = identity.certificate('default')!
  identity.close()
  return { cert: chain, key }
}

function meshFile(): string {
  return `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: web, labels: { app: web } }
spec: { ports: [{ name: http, containerPort: ${httpPort} }, { name: tcp, containerPort: ${bytesPort} }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: ${httpPort} }, { name: tcp, port: ${bytesPort} }] }
`
}

const documentOf = (name: string, spec: string, annotations = ''): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}${annotations} }\nspec: ${spec}\n`

/** Each policy by its name and spec. */
async function apply(policies: Readonly<Record<string, string>>, annotations = ''): Promise<void> {
  const documents = Object.entries(policies).map(([name, spec]) => documentOf(name, spec, annotations))
  await world.edit(() => world.folder.write('mesh/policies.yaml', documents.join('---\n')))
}

function open(port: 'http' | 'tcp', shown: Shown | undefined, alpn = port === 'http' ? ['istio-http/1.1', 'istio', 'http/1.1'] : ['istio-peer-exchange', 'istio']): Socket {
  const inbound = world.mesh.processes.find((one) => one.name === 'web')!.inbound[port === 'http' ? 0 : 1]!
  const at = { host: '127.0.0.1', port: Number(inbound.split(':')[1]) }
  const socket = shown === undefined ? connect(at)
    : connectTls({ ...at, ...shown, rejectUnauthorized: false, ALPNProtocols: alpn })
  socket.setTimeout(patienceMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  return socket
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function ask(shown: Shown | undefined, line = 'GET /', headers: readonly string[] = []): Promise<Answer> {
  const socket = open('http', shown)
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  socket.write([`${line} HTTP/1.1`, 'host: web', 'connection: close', ...headers, '', ''].join('\r\n'))
  await once(socket, 'close')
  return { status: Number(text.split(' ')[1] ?? 0), text }
}

/** What comes back of a word; empty where the connection is closed instead. */
async function say(shown: Shown | undefined, word = 'word'): Promise<string> {
  const socket = open('tcp', shown)
  socket.write(word)
  const [first] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [''])]) as [Buffer | string]
  socket.destroy()
  return String(first)
}

const denied = 'RBAC: access denied'

test('a policy that allows nothing denies everything; the client is told no policy, the log is', async () => {
  await apply({ nothing: '{}' })
  const { status, text } = await ask(client)
  assert.equal(status, 403)
  assert.ok(text.endsWith(denied), text)
  assert.doesNotMatch(text, /matched_policy|nothing|ns\[/)
  assert.equal(await say(client), '')
  await world.until('the log line', () => world.accessLog.some((line) => line.includes('rbac_access_denied_matched_policy[none]')))
})

test('principals, namespaces, methods, paths and headers are told apart', async () => {
  await apply({
    allow: `{ rules: [
      { from: [{ source: { principals: [cluster.local/ns/default/sa/client] } }], to: [{ operation: { methods: [GET], paths: [/, "/items/{*}"] } }] },
      { from: [{ source: { namespaces: [shop] } }], when: [{ key: "request.headers[x-role]", values: ["buy*"] }] }] }`,
    deny: '{ action: DENY, rules: [{ to: [{ operation: { paths: [/items/secret] } }] }] }',
  })
  const answers = await Promise.all([
    ask(client), ask(client, 'POST /'), ask(client, 'GET /items/1?q=/'), ask(client, 'GET /items/secret'), ask(client, 'GET /items/x/../secret'), ask(client, 'GET /items/1/2'),
    ask(buyer), ask(buyer, 'PUT /any', ['x-role: buyer']), ask(undefined), ask(undefined, 'GET /', ['x-role: buyer']),
  ])
  assert.deepEqual(answers.map(({ status }) => status), [200, 403, 200, 403, 403, 403, 403, 200, 403, 403])
  await world.until('what failed, in the audit log', async () => /"request-denied".*"detail":"needs: .*source\.principal/.test(await readFile(world.folder.at('state/audit.log'), 'utf8')))
  await world.until('the name of the policy that denied', () => world.accessLog.some((line) => line.includes('rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]')))
})

test('what a client says of itself in headers is no identity', async () => {
  await apply({ allow: '{ rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/client] } }] }] }' })
  const spoofed = ['x-forwarded-client-cert: By=spiffe://a;URI=spiffe://cluster.local/ns/default/sa/client', 'x-envoy-peer-metadata-id: client', 'x-envoy-external-address: 10.0.0.1', 'x-envoy-internal: true']
  assert.deepEqual((await Promise.all([ask(client), ask(buyer, 'GET /', spoofed), ask(undefined, 'GET /', spoofed)])).map(({ status }) => status), [200, 403, 403])
})

test('on ports for bytes: an ALLOW that asks for HTTP lets nobody in, a DENY that does keeps everybody out', async () => {
  await apply({ allow: '{ rules: [{ from: [{ source: { namespaces: [shop] } }] }, { from: [{ source: { namespaces: [default] } }], to: [{ operation: { methods: [GET] } }] }] }' })
  assert.deepEqual(await Promise.all([say(buyer), say(client), say(undefined)]), ['word', '', ''])
  assert.equal((await ask(client)).status, 200)
  await apply({ deny: `{ action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }] }` })
  assert.deepEqual(await Promise.all([say(buyer), say(client)]), ['', ''])
  await apply({ deny: `{ action: DENY, rules: [{ to: [{ operation: { methods: [GET], ports: ["${httpPort}"] } }] }] }` })
  assert.deepEqual(await Promise.all([say(buyer), say(undefined)]), ['word', 'word'])
  assert.equal((await ask(client)).status, 403)
})

test('a dry run changes nothing and is counted; an AUDIT changes nothing and is written down', async () => {
  await apply({ try: '{ action: DENY, rules: [{}] }' }, ', annotations: { istio.io/dry-run: "true" }')
  assert.equal((await ask(client)).status, 200)
  assert.equal(await say(client), 'word')
  const { admin } = findRunning().filter(({ pid }) => pid === process.pid).flatMap(({ proxies }) => proxies).find(({ name }) => name === 'web')!
  const stats = await (await fetch(`http://${formatAddress(admin)}/stats`)).text()
  assert.match(stats, /http\.inbound_0\.0\.0\.0_\d+\.rbac\.istio_dry_run_deny_shadow_denied: [1-9]/)
  assert.match(stats, /tcp\.rbac\.istio_dry_run_deny_shadow_denied: [1-9]/)
  await apply({ watch: '{ action: AUDIT, rules: [{ to: [{ operation: { paths: [/watched] } }] }] }' })
  assert.equal((await ask(client, 'GET /watched')).status, 200)
  await world.until('the line of the audit log', async () => (await readFile(world.folder.at('state/audit.log'), 'utf8')).includes('"request-audited"'))
})

test('a policy change ends what it does not allow any more: bytes, and a response that is under way', async () => {
  await apply({ allow: '{ rules: [{}] }' })
  const [kept, ended, streaming] = [open('tcp', buyer), open('tcp', client), open('http', client)]
  for (const socket of [kept, ended]) socket.write('word')
  streaming.write('GET /stream HTTP/1.1\r\nhost: web\r\n\r\n')
  await Promise.all([kept, ended, streaming].map((socket) => once(socket, 'data')))
  const closed = Promise.all([ended, streaming].map((socket) => once(socket, 'close')))
  await apply({ allow: '{ rules: [{ from: [{ source: { namespaces: [shop] } }] }] }' })
  await closed
  kept.write('more')
  assert.equal(String((await once(kept, 'data') as [Buffer])[0]), 'more')
  await apply({ nothing: '{}' })
  if (!kept.closed) await once(kept, 'close')
  await world.until('the log line', () => world.accessLog.some((line) => line.includes('rbac_access_denied_matched_policy[none]')))
})

test('a policy change ends streams of HTTP/2 one by one', async () => {
  await apply({ allow: '{ rules: [{}] }' })
  const socket = open('http', client, ['istio-h2', 'istio', 'h2'])
  await once(socket, 'secureConnect')
  const session = connectHttp2('https://web', { createConnection: () => socket })
  session.on('error', () => session.destroy())
  const [kept, ended] = ['/stream', '/stream'].map((path, i) => session.request({ ':path': path, ':authority': 'web', 'x-role': i === 0 ? 'kept' : 'other' })) as [ClientHttp2Stream, ClientHttp2Stream]
  for (const stream of [kept, ended]) stream.on('error', () => stream.destroy())
  await Promise.all([kept, ended].map((stream) => once(stream, 'data')))
  const gone = new Promise((resolve) => ended.on('close', resolve))
  await apply({ allow: '{ rules: [{ when: [{ key: "request.headers[x-role]", values: [kept] }] }] }' })
  await gone
  assert.equal(kept.closed, false)
  session.destroy()
})

test('an invalid policy is held at its last good version, and a policy that is taken away is gone', async () => {
  await apply({ allow: '{ rules: [{ from: [{ source: { namespaces: [shop] } }] }] }' })
  await world.folder.write('mesh/policies.yaml', documentOf('allow', '{ rules: [{ when: [{ key: source.nonsense, values: [a] }] }] }'))
  await world.untilSaid(/AuthorizationPolicy\/default\/allow is held at its last good version: .*source\.nonsense/)
  assert.deepEqual((await Promise.all([ask(client), ask(buyer)])).map(({ status }) => status), [403, 200])
  await world.edit(() => world.folder.remove('mesh/policies.yaml'))
  assert.equal((await ask(client)).status, 200)
})
