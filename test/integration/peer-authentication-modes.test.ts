// What an inbound port does with every kind of client, in every mode of PeerAuthentication (security spec 2.2): a real mesh,
// real sockets, certificates of its CA, and a program that says whether it was reached as HTTP, as bytes or by its own TLS.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { TLSSocket, connect as connectTls, createSecureContext } from 'node:tls'
import { openIdentity } from '../../src/proxy/identity/identity.ts'
import { createAuthority } from '../support/certificates.ts'
import { startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

type PortName = 'http' | 'tcp' | 'auto' | 'unserved'
type Mode = 'PERMISSIVE' | 'STRICT' | 'DISABLE'
/**
 * What a client is told. `http`: by the program, through the proxy's HTTP; `bytes`: by the program, untouched; `own-tls`: by
 * the program's TLS; `bad-request`: by the proxy, that this is no HTTP; `closed`: nothing.
 */
type Outcome = 'http' | 'bytes' | 'own-tls' | 'bad-request' | 'closed'

interface Client {
  readonly says: 'request' | 'line'
  /** Without it, plaintext. */
  readonly alpn?: readonly string[]
  /** Shows a certificate of the mesh. */
  readonly certificate?: boolean
}

const clients = {
  'plain HTTP': { says: 'request' },
  'plain bytes': { says: 'line' },
  'mesh HTTP': { says: 'request', alpn: ['istio-http/1.1', 'istio', 'http/1.1'], certificate: true },
  'mesh bytes': { says: 'line', alpn: ['istio-peer-exchange', 'istio'], certificate: true },
  'a certificate but no ALPN': { says: 'line', alpn: [], certificate: true },
  "the program's own TLS": { says: 'line', alpn: ['h2'] },
} as const satisfies Record<string, Client>
type ClientName = keyof typeof clients

const columns: readonly ClientName[] = ['plain HTTP', 'plain bytes', 'mesh HTTP', 'mesh bytes', 'a certificate but no ALPN', "the program's own TLS"]

/** By mode and port, one outcome for each client, in the order of `columns`. */
const table: Readonly<Record<Mode, Readonly<Record<PortName, readonly Outcome[]>>>> = {
  PERMISSIVE: {
    http: ['http', 'bad-request', 'http', 'bad-request', 'closed', 'closed'],
    tcp: ['bytes', 'bytes', 'bytes', 'bytes', 'own-tls', 'own-tls'],
    auto: ['http', 'bytes', 'http', 'bytes', 'own-tls', 'own-tls'],
    unserved: ['http', 'bytes', 'http', 'bytes', 'own-tls', 'own-tls'],
  },
  STRICT: {
    http: ['closed', 'closed', 'http', 'bad-request', 'bad-request', 'closed'],
    tcp: ['closed', 'closed', 'bytes', 'bytes', 'bytes', 'closed'],
    auto: ['closed', 'closed', 'http', 'bytes', 'bytes', 'closed'],
    unserved: ['closed', 'closed', 'http', 'bytes', 'bytes', 'closed'],
  },
  DISABLE: {
    http: ['http', 'bad-request', 'closed', 'closed', 'closed', 'closed'],
    tcp: ['bytes', 'bytes', 'own-tls', 'own-tls', 'own-tls', 'own-tls'],
    auto: ['http', 'bytes', 'own-tls', 'own-tls', 'own-tls', 'own-tls'],
    // Ports that nobody declared are inspected, since others may need it; and TLS matches no plain chain.
    unserved: ['http', 'bytes', 'closed', 'closed', 'closed', 'closed'],
  },
}

const names: readonly PortName[] = ['http', 'tcp', 'auto', 'unserved']
let world: LocalMesh
let shown: { readonly cert: string; readonly key: string }
const programs: Server[] = []
const ports = new Map<PortName, number>()

before(async () => {
  const own = createAuthority('program').issue('DNS:program.test')
  for (const name of names) ports.set(name, await startProgram(createSecureContext({ cert: own.chain, key: own.key })))
  world = await startLocalMesh({ 'mesh.yaml': meshFile() }, { watch: true })
  const { control } = world.mesh
  const id = { trustDomain: control.trustDomain, namespace: 'default', serviceAccount: 'client' }
  const identity = openIdentity({ id, ca: { address: control.xds, tls: { roots: control.roots, serverName: '' } }, bearer: () => control.bootstrapToken(id) })
  await identity.whenReady
  const { chain, key } = identity.certificate('default')!
  shown = { cert: chain, key }
  identity.close()
})

after(async () => {
  await world[Symbol.asyncDispose]()
  for (const program of programs) program.close()
})

function meshFile(): string {
  const listed = names.map((name) => `{ name: ${name}, containerPort: ${ports.get(name)!} }`).join(', ')
  const served = (['http', 'tcp', 'auto'] as const).map((name) => `{ name: ${name === 'auto' ? 'anything' : name}, port: ${ports.get(name)!} }`).join(', ')
  return `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: web, labels: { app: web } }
spec: { ports: [${listed}] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [${served}] }
`
}

/** Answers once to whatever comes first, and says what that was. */
async function startProgram(secureContext: ReturnType<typeof createSecureContext>): Promise<number> {
  const program = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', (first) => {
      if (first[0] !== 0x16) return void socket.end(answerTo(first.toString('latin1')))
      socket.pause()
      socket.unshift(first)
      new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['h2', 'istio-http/1.1', 'istio'] }).on('error', () => socket.destroy()).end('own-tls')
    })
  })
  programs.push(program)
  program.listen(0, '127.0.0.1')
  await once(program, 'listening')
  return (program.address() as AddressInfo).port
}

function answerTo(text: string): string {
  if (!text.startsWith('GET ')) return 'bytes'
  const body = /x-request-id/i.test(text) ? 'http' : 'bytes'
  return `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

function open(port: number, client: Client): Socket {
  if (client.alpn === undefined) return connect(port, '127.0.0.1')
  return connectTls({
    host: '127.0.0.1', port, rejectUnauthorized: false, ...(client.certificate === true ? shown : {}),
    ...(client.alpn.length === 0 ? {} : { ALPNProtocols: [...client.alpn] }),
  })
}

async function outcomeOf(name: PortName, client: Client): Promise<string> {
  const inbound = world.mesh.processes.find((one) => one.name === 'web')!.inbound[names.indexOf(name)]!
  const socket = open(Number(inbound.split(':')[1]), client)
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.setTimeout(10_000, () => socket.destroy())
  socket.write(client.says === 'request' ? 'GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n' : 'hello\r\n\r\n')
  await new Promise((resolve) => socket.on('close', resolve))
  if (text.startsWith('HTTP/1.1 400')) return 'bad-request'
  return text === '' ? 'closed' : text.slice(text.lastIndexOf('\n') + 1)
}

const outcomes = async (name: PortName): Promise<Record<string, string>> =>
  Object.fromEntries(await Promise.all(columns.map(async (client) => [client, await outcomeOf(name, clients[client])] as const)))

const expected = (mode: Mode, name: PortName): Record<string, string> => Object.fromEntries(columns.map((client, i) => [client, table[mode][name][i]!]))

const policy = (name: string, spec: string): string => `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`

for (const mode of Object.keys(table) as Mode[]) {
  test(`${mode}: every kind of port, every kind of client`, async () => {
    await world.edit(() => world.folder.write('mesh/policy.yaml', policy('default', `{ mtls: { mode: ${mode} } }`)))
    for (const name of names) assert.deepEqual(await outcomes(name), expected(mode, name), `${mode}, port ${name}`)
  })
}

test('port by port: a policy for the workload overrides what its namespace says, served or not; other ports inherit', async () => {
  const modes: Record<string, Mode> = { http: 'DISABLE', tcp: 'STRICT', unserved: 'PERMISSIVE' }
  const portLevel = Object.entries(modes).map(([name, mode]) => `${ports.get(name as PortName)!}: { mode: ${mode} }`).join(', ')
  const text = policy('default', '{ mtls: { mode: STRICT } }') + policy('web', `{ selector: { matchLabels: { app: web } }, portLevelMtls: { ${portLevel} } }`)
  await world.edit(() => world.folder.write('mesh/policy.yaml', text))
  for (const name of names) assert.deepEqual(await outcomes(name), expected(modes[name] ?? 'STRICT', name), `port ${name}`)
})

test('without any policy, and with modes that are UNSET, ports take both', async () => {
  await world.edit(() => world.folder.write('mesh/policy.yaml', policy('default', '{ mtls: { mode: UNSET } }')))
  assert.deepEqual(await outcomes('auto'), expected('PERMISSIVE', 'auto'))
  await world.edit(() => world.folder.remove('mesh/policy.yaml'))
  assert.deepEqual(await outcomes('http'), expected('PERMISSIVE', 'http'))
})
