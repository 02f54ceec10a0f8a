// A gateway that ends TLS in every mode, with real clients: who comes in and who does not, each server by itself, rotation
// under load, requests that came by the wrong connection.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate, createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { connect, createServer } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import type { TestCertificate } from '../support/certificates.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

const run = promisify(execFile)
const servers = createAuthority('servers')
const clients = createAuthority('clients')
const strangers = createAuthority('strangers')
const certificate = Object.fromEntries(['simple', 'mutual', 'optional', 'pinned', 'files', 'bytes', 'pass', 'ec', 'old', 'apart'].map((name) => [name, servers.issue(`DNS:${name}.test`)])) as Record<string, TestCertificate>
const rsa = servers.issue('DNS:two.test', undefined, 'RSA')
const good = clients.issue('DNS:client.test')
const revoked = clients.issue('DNS:client.test')
const crl = clients.revoke(revoked)
const expired = clients.issue('DNS:client.test', { from: -3, to: -1 })
const foreign = strangers.issue('DNS:client.test')

const secret = (name: string, data: Record<string, string>) => `
apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: istio-system }
type: Opaque
stringData: ${JSON.stringify(data)}
---`
const tlsSecret = (name: string, { chain, key }: TestCertificate, more: Record<string, string> = {}) => secret(name, { 'tls.crt': chain, 'tls.key': key, ...more })
const server = (host: string, tls: object, { port = 443, protocol = 'HTTPS' } = {}) =>
  ({ port: { number: port, name: `${protocol.toLowerCase()}-${host.replaceAll('.', '-').replaceAll('*', 'any')}-${port}`, protocol }, hosts: [host], tls })

function gatewayYaml(folder: string): string {
  const verify = { 'ca.crt': clients.roots }
  return `${tlsSecret('simple', certificate['simple']!)}${tlsSecret('mutual', certificate['mutual']!, { ...verify, 'ca.crl': crl })}${tlsSecret('optional', certificate['optional']!, verify)}
${tlsSecret('pinned', certificate['pinned']!, verify)}${tlsSecret('rsa', rsa)}${tlsSecret('ec', certificate['ec']!)}${tlsSecret('bytes', certificate['bytes']!)}${tlsSecret('old', certificate['old']!)}
${tlsSecret('apart', certificate['apart']!)}${secret('apart-cacert', { cacert: clients.roots })}
${secret('broken', { 'tls.crt': 'rubbish', 'tls.key': 'rubbish' })}
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: ${JSON.stringify({
    selector: { istio: 'ingressgateway' },
    servers: [
      server('simple.test', { mode: 'SIMPLE', credentialName: 'simple' }),
      server('mutual.test', { mode: 'MUTUAL', credentialName: 'mutual', subjectAltNames: ['client.test'] }),
      server('optional.test', { mode: 'OPTIONAL_MUTUAL', credentialName: 'optional' }),
      server('pinned.test', { mode: 'MUTUAL', credentialName: 'pinned', verifyCertificateHash: [fingerprint(good)] }),
      server('key.test', { mode: 'MUTUAL', credentialName: 'pinned', verifyCertificateSpki: [keyDigest(good)] }),
      server('curve.test', { mode: 'SIMPLE', credentialName: 'simple', ecdhCurves: ['P-384'] }),
      server('list.test', { mode: 'SIMPLE', tlsCertificates: ['tls', 'rsa'].map((name) => ({ serverCertificate: `${folder}/${name}.crt`, privateKey: `${folder}/${name}.key` })) }),
      server('two.test', { mode: 'SIMPLE', credentialNames: ['rsa', 'ec'] }),
      server('files.test', { mode: 'SIMPLE', serverCertificate: `${folder}/tls.crt`, privateKey: `${folder}/tls.key` }),
      server('missing.test', { mode: 'SIMPLE', credentialName: 'missing' }),
      server('broken.test', { mode: 'SIMPLE', credentialName: 'broken' }),
      server('istio.test', { mode: 'ISTIO_MUTUAL' }),
      server('old.test', { mode: 'SIMPLE', credentialName: 'old', minProtocolVersion: 'TLSV1_1', maxProtocolVersion: 'TLSV1_2', cipherSuites: ['ECDHE-ECDSA-AES256-SHA'] }),
      server('apart.test', { mode: 'MUTUAL', credentialName: 'apart' }),
      server('elsewhere.test', { mode: 'MUTUAL', credentialName: 'kubernetes://simple', caCertCredentialName: 'apart' }),
      server('workload.test', { mode: 'SIMPLE', credentialName: 'builtin://' }),
      server('bytes.test', { mode: 'SIMPLE', credentialName: 'bytes' }, { port: 8443, protocol: 'TLS' }),
      server('*.test', { mode: 'PASSTHROUGH' }, { port: 8443, protocol: 'TLS' }),
    ],
  })}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: a } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes }
spec:
  hosts: ["*.test"]
  gateways: [edge]
  tcp: [{ match: [{ port: 8443 }], route: [{ destination: { host: a, port: { number: 80 } } }] }]
  tls: [{ match: [{ sniHosts: [pass.test] }], route: [{ destination: { host: behind.test, port: { number: 443 } } }] }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: behind }
spec: { hosts: [behind.test], resolution: STATIC, ports: [{ number: 443, name: tls, protocol: TLS }], endpoints: [{ address: 127.0.0.1, ports: { tls: ${(passServer.address() as AddressInfo).port} } }] }
---`
}

function fingerprint({ chain }: TestCertificate): string {
  return new X509Certificate(chain).fingerprint256
}

function keyDigest({ chain }: TestCertificate): string {
  return createHash('sha256').update(new X509Certificate(chain).publicKey.export({ type: 'spki', format: 'der' })).digest('base64')
}

let mesh: LocalMesh
const passServer = createServer({ cert: certificate['pass']!.chain, key: certificate['pass']!.key }, (socket) => socket.on('error', () => {}).end(`hello ${String(socket.servername)}`))

before(async () => {
  await new Promise<void>((resolve) => passServer.listen(0, '127.0.0.1', resolve))
  const folder = await TempFolder.create()
  await folder.write('certificates/tls.crt', certificate['files']!.chain)
  await folder.write('certificates/tls.key', certificate['files']!.key)
  await folder.write('certificates/rsa.crt', rsa.chain)
  await folder.write('certificates/rsa.key', rsa.key)
  mesh = await startLocalMesh({ 'a.yaml': echo('a') + service('a'), 'gateway.yaml': gatewayYaml(folder.at('certificates')) }, { watch: true, gatewayPorts: new Map([[443, 0], [8443, 0]]) })
  certificateFolder = folder
})
let certificateFolder: TempFolder

after(async () => {
  await mesh[Symbol.asyncDispose]()
  await certificateFolder[Symbol.asyncDispose]()
  passServer.close()
})

interface Asking {
  readonly host?: string
  readonly client?: TestCertificate
  readonly tls?: ConnectionOptions
  readonly agent?: Agent | false
}

/** `200`, `421`, or the reason why there was no answer. */
function ask(serverName: string, { host = serverName, client, tls = {}, agent = false }: Asking = {}): Promise<string> {
  const at = mesh.gatewayAt(443)
  const identity = client === undefined ? {} : { cert: client.chain, key: client.key }
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(`failed: ${error.message}`)
    request({ host: at.host, port: at.port, servername: serverName, headers: { host }, ca: servers.roots, agent, timeout: 10_000, ...identity, ...tls }, (incoming) => {
      text(incoming).then(() => resolve(String(incoming.statusCode)), failed)
    }).on('error', failed).end()
  })
}

/** The certificate that a new connection is shown. */
function shown(serverName: string, more: ConnectionOptions = {}, port = 443): Promise<{ readonly fingerprint: string; readonly said: string }> {
  const at = mesh.gatewayAt(port)
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host: at.host, port: at.port, servername: serverName, ca: servers.roots, ...more }, () => {
      const found = socket.getPeerX509Certificate()!.fingerprint256
      if (port === 443) {
        socket.destroy()
        return resolve({ fingerprint: found, said: '' })
      }
      socket.setEncoding('utf8')
      text(socket).then((said) => resolve({ fingerprint: found, said }), reject)
    })
    socket.on('error', reject)
  })
}

const cases: readonly (readonly [title: string, serverName: string, asking: Asking, answer: RegExp])[] = [
  ['SIMPLE: anybody', 'simple.test', {}, /^200$/],
  ['SIMPLE: a client that shows a certificate nobody asked for', 'simple.test', { client: foreign }, /^200$/],
  ['MUTUAL: the right client', 'mutual.test', { client: good }, /^200$/],
  ['MUTUAL: no certificate', 'mutual.test', {}, /^failed/],
  ['MUTUAL: another root', 'mutual.test', { client: foreign }, /^failed/],
  ['MUTUAL: expired', 'mutual.test', { client: expired }, /^failed/],
  ['MUTUAL: revoked', 'mutual.test', { client: revoked }, /^failed/],
  ['MUTUAL: another name', 'mutual.test', { client: clients.issue('DNS:other.test') }, /^failed/],
  ['OPTIONAL_MUTUAL: no certificate', 'optional.test', {}, /^200$/],
  ['OPTIONAL_MUTUAL: the right one', 'optional.test', { client: good }, /^200$/],
  ['OPTIONAL_MUTUAL: another root', 'optional.test', { client: foreign }, /^failed/],
  ['OPTIONAL_MUTUAL: expired', 'optional.test', { client: expired }, /^failed/],
  ['a pinned certificate', 'pinned.test', { client: good }, /^200$/],
  ['another certificate of the same name where one is pinned', 'pinned.test', { client: clients.issue('DNS:client.test') }, /^failed/],
  ['a pinned key', 'key.test', { client: good, tls: { rejectUnauthorized: false } }, /^200$/],
  ['another key where one is pinned', 'key.test', { client: clients.issue('DNS:client.test'), tls: { rejectUnauthorized: false } }, /^failed/],
  ['a curve that the server takes', 'curve.test', { tls: { ecdhCurve: 'P-384', rejectUnauthorized: false } }, /^200$/],
  ['another curve than the server takes', 'curve.test', { tls: { ecdhCurve: 'P-256', rejectUnauthorized: false } }, /^failed/],
  ['ISTIO_MUTUAL: a client from outside of the mesh', 'istio.test', { client: good, tls: { rejectUnauthorized: false } }, /^failed/],
  ['certificates from files', 'files.test', {}, /^200$/],
  ['a credential that is missing', 'missing.test', {}, /^failed/],
  ['a credential that cannot be used', 'broken.test', {}, /^failed/],
  ['roots in a Secret of their own: the right client', 'apart.test', { client: good }, /^200$/],
  ['roots in a Secret of their own: another root', 'apart.test', { client: foreign }, /^failed/],
  ['roots that are named: the right client', 'elsewhere.test', { client: good, tls: { rejectUnauthorized: false } }, /^200$/],
  ['roots that are named: another root', 'elsewhere.test', { client: foreign, tls: { rejectUnauthorized: false } }, /^failed/],
  ['the certificate of the workload itself', 'workload.test', { tls: { rejectUnauthorized: false } }, /^200$/],
  ['a server name of nobody', 'nobody.test', {}, /^failed/],
  ['TLS 1.1 with a suite of its own', 'old.test', { tls: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0' } }, /^200$/],
  ['TLS 1.3 where 1.2 is the most', 'old.test', { tls: { minVersion: 'TLSv1.3' } }, /^failed/],
  ['another suite than the server takes', 'old.test', { tls: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } }, /^failed/],
  ['TLS 1.1 where the server says nothing', 'simple.test', { tls: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } }, /^failed/],
  ['a request for a host of another server', 'simple.test', { host: 'optional.test' }, /^421$/],
  ['a request for a host of nobody', 'simple.test', { host: 'example.com' }, /^421$/],
]
for (const [title, serverName, asking, answer] of cases) {
  test(`${title}: ${/200/.test(answer.source) ? 'comes in' : /421/.test(answer.source) ? 'is told 421' : 'is refused'}`, async () => {
    assert.match(await ask(serverName, asking), answer)
  })
}

test('of two credentials the client gets the one that it can check', async () => {
  const tls12 = { maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined } as const
  assert.equal((await shown('two.test', { ...tls12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' })).fingerprint, fingerprint(rsa))
  assert.equal((await shown('two.test', { ...tls12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).fingerprint, fingerprint(certificate['ec']!))
  assert.equal((await shown('list.test', { ...tls12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' })).fingerprint, fingerprint(rsa), 'from files')
  assert.equal((await shown('list.test', { ...tls12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).fingerprint, fingerprint(certificate['files']!), 'from files')
})

test('a client without a server name is refused where no server takes any', async () => {
  await assert.rejects(shown('', { checkServerIdentity: () => undefined }))
})

test('TLS that is passed on ends at the server behind, and names without a rule are closed', async () => {
  const passed = await shown('pass.test', {}, 8443)
  assert.deepEqual(passed, { fingerprint: fingerprint(certificate['pass']!), said: 'hello pass.test' })
  await assert.rejects(shown('other.test', {}, 8443))
})

test('bytes in TLS that ends here go by the tcp rules', async () => {
  const at = mesh.gatewayAt(8443)
  const socket = connect({ host: at.host, port: at.port, servername: 'bytes.test', ca: servers.roots })
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  assert.match(await text(socket), /^HTTP\/1\.1 200 /)
})

test('openssl and curl agree', async () => {
  const at = mesh.gatewayAt(443)
  const { stdout } = await run('curl', ['-sk', '-o', '/dev/null', '-w', '%{http_code} %{ssl_verify_result}', '--resolve', `simple.test:${at.port}:${at.host}`, `https://simple.test:${at.port}/`])
  assert.match(stdout, /^200 /)
  const { stdout: said } = await run('openssl', ['s_client', '-connect', `${at.host}:${at.port}`, '-servername', 'mutual.test', '-brief'], { timeout: 10_000 }).catch((error: { stdout: string; stderr: string }) => ({ stdout: error.stderr }))
  assert.match(said, /alert|error|CONNECTION/i)
})

test('plaintext on a port of TLS is closed', async () => {
  const at = mesh.gatewayAt(443)
  const socket = connectTcp(at.port, at.host)
  socket.write('GET / HTTP/1.1\r\nhost: simple.test\r\n\r\n')
  assert.equal(await text(socket).catch(() => ''), '')
})

/** Asks all the time, by connections that stay and by new ones; resolves with every answer that was no 200. */
async function underLoad(serverName: string, work: () => Promise<void>): Promise<{ readonly failures: readonly string[]; readonly asked: number }> {
  const kept = new Agent({ keepAlive: true, maxSockets: 4 })
  const failures: string[] = []
  let asked = 0
  let over = false
  const worker = async (agent: Agent | false): Promise<void> => {
    while (!over) {
      const answer = await ask(serverName, { agent })
      asked++
      if (answer !== '200') failures.push(answer)
    }
  }
  const workers = [worker(kept), worker(kept), worker(kept), worker(false), worker(false)]
  await work().finally(() => (over = true))
  await Promise.all(workers)
  kept.destroy()
  return { failures, asked }
}

test('a secret and files are rotated ten times under load: no request fails, new connections get the new certificate', async () => {
  const path = mesh.folder.at('mesh/gateway.yaml')
  const yaml = await readFile(path, 'utf8')
  const { failures, asked } = await underLoad('simple.test', async () => {
    for (let round = 0; round < 10; round++) {
      const next = servers.issue('DNS:simple.test')
      const replaced = yaml.replace(tlsSecret('simple', certificate['simple']!), tlsSecret('simple', next))
      await writeFile(path, replaced)
      await mesh.until('the new certificate', async () => (await shown('simple.test')).fingerprint === fingerprint(next))
    }
  })
  assert.deepEqual(failures, [])
  assert.ok(asked > 50, `${asked} requests`)
  const files = await underLoad('files.test', async () => {
    for (let round = 0; round < 5; round++) {
      const next = servers.issue('DNS:files.test')
      await certificateFolder.write('certificates/tls.crt', next.chain)
      await certificateFolder.write('certificates/tls.key', next.key)
      await mesh.until('the new certificate', async () => (await shown('files.test')).fingerprint === fingerprint(next))
    }
  })
  assert.deepEqual(files.failures, [])
})

test('a secret that comes later is loaded, one that becomes rubbish leaves the last good one in use, and the log says so', async () => {
  const path = mesh.folder.at('mesh/gateway.yaml')
  const yaml = await readFile(path, 'utf8')
  const missing = servers.issue('DNS:missing.test')
  await writeFile(path, `${yaml}\n${tlsSecret('missing', missing)}`)
  await mesh.until('the missing credential', async () => (await ask('missing.test')) === '200')
  await writeFile(path, `${yaml}\n${secret('missing', { 'tls.crt': 'rubbish', 'tls.key': missing.key })}`)
  await mesh.untilSaid(/Secret istio-system\/missing .* cannot be used: there is no certificate in PEM/)
  assert.equal((await shown('missing.test')).fingerprint, fingerprint(missing))
  assert.ok(mesh.lines.some((line) => /Secret istio-system\/broken/.test(line)), 'the broken one was told too')
  assert.ok(!mesh.lines.join('\n').includes(missing.key.split('\n')[1]!))
})
