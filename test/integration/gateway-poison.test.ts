// Bad Gateways and Secrets beside good ones: the good ones go on serving, and each bad one is named.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { createAuthority } from '../support/certificates.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const authority = createAuthority()
const good = authority.issue('DNS:good.test')
const other = authority.issue('DNS:other.test')
const expired = authority.issue('DNS:expired.test', { from: -3, to: -1 })
const locked = execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:secret'], { input: good.key, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })

const secret = (name: string, data: Record<string, string>): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: istio-system }\nstringData: ${JSON.stringify(data)}\n---\n`
const pair = (chain: string, key: string, more: Record<string, string> = {}) => ({ 'tls.crt': chain, 'tls.key': key, ...more })
const gateway = (name: string, ...servers: readonly object[]): string =>
  `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: ${name} }\nspec: ${JSON.stringify({ selector: { istio: 'ingressgateway' }, servers })}\n---\n`
const server = (tls: object | undefined, { port = 443, protocol = 'HTTPS', host = 'poison.test', ...more }: { port?: number; protocol?: string; host?: string; bind?: string } = {}) =>
  ({ port: { number: port, name: `p${port}`, protocol }, hosts: [host], ...(tls === undefined ? {} : { tls }), ...more })
const simple = (credentialName: string) => ({ mode: 'SIMPLE', credentialName })

/** Title, documents, and what is said of them; each has a server name of its own. */
const poisons: readonly (readonly [title: string, yaml: (name: string) => string, said: RegExp])[] = [
  ['a protocol that nobody knows', (name) => gateway(name, server(simple('good'), { protocol: 'GOPHER' })), /protocol/],
  ['no servers', (name) => gateway(name), /servers/],
  ['a server without hosts', (name) => gateway(name, { ...server(simple('good')), hosts: [] }), /hosts/],
  ['HTTPS without TLS settings', (name) => gateway(name, server(undefined)), /tls/],
  ['SIMPLE without a certificate', (name) => gateway(name, server({ mode: 'SIMPLE' })), /needs a certificate/],
  ['MUTUAL whose secret has no roots', (name) => gateway(name, server({ mode: 'MUTUAL', credentialName: 'good' }, { host: 'p6.test' })), /to verify clients/],
  ['a credential that is not there', (name) => gateway(name, server(simple('nowhere'), { host: 'p7.test' })), /no Secret istio-system\/nowhere/],
  ['a certificate that is rubbish', (name) => secret(name, pair('rubbish', 'rubbish')) + gateway(name, server(simple(name), { host: 'p8.test' })), /no certificate in PEM/],
  ['a key of another certificate', (name) => secret(name, pair(other.chain, good.key)) + gateway(name, server(simple(name), { host: 'p9.test' })), /key does not belong/],
  ['a key with a passphrase', (name) => secret(name, pair(good.chain, locked)) + gateway(name, server(simple(name), { host: 'p10.test' })), /without a passphrase/],
  ['a revocation list that is rubbish', (name) => secret(name, pair(good.chain, good.key, { 'ca.crt': authority.roots, 'ca.crl': 'rubbish' })) + gateway(name, server({ mode: 'MUTUAL', credentialName: name }, { host: 'p11.test' })), /revocation list is not PEM/],
  ['plain HTTP on the port of HTTPS', (name) => gateway(name, server(undefined, { protocol: 'HTTP' })), /makes the port one for tls/],
  ['TCP on the port of HTTP', (name) => gateway(name, server(undefined, { protocol: 'TCP', port: 80 })), /makes the port one for http/],
  ['a server name that is taken', (name) => gateway(name, server(simple('good'), { host: 'good.test' })), /one of its hosts/],
  ['files that are not there', (name) => gateway(name, server({ mode: 'SIMPLE', serverCertificate: '/nowhere/c', privateKey: '/nowhere/k' }, { host: 'p15.test' })), /nowhere\/c.*ENOENT/],
  ['a mode that nobody knows', (name) => gateway(name, server({ mode: 'MAGIC', credentialName: 'good' })), /mode/],
  ['a pin that is no digest', (name) => gateway(name, server({ ...simple('good'), verifyCertificateHash: ['ab'] }, { host: 'p17.test' })), /no SHA-256/],
  ['versions that exclude each other', (name) => gateway(name, server({ ...simple('good'), minProtocolVersion: 'TLSV1_3', maxProtocolVersion: 'TLSV1_2' }, { host: 'p18.test' })), /no client can agree/],
  ['suites that nobody knows', (name) => gateway(name, server({ ...simple('good'), cipherSuites: ['ROT13'] }, { host: 'p19.test' })), /not a known cipher suite/],
  ['a wildcard within a name', (name) => gateway(name, server(simple('good'), { host: 'a*b.test' })), /wildcard/],
  ['ISTIO_MUTUAL with a certificate of its own', (name) => gateway(name, server({ mode: 'ISTIO_MUTUAL', credentialName: 'good' })), /ISTIO_MUTUAL/],
  ['a port beyond all ports', (name) => gateway(name, server(simple('good'), { port: 70_000 })), /port/],
  ['a namespace of hosts that is none', (name) => gateway(name, server(simple('good'), { host: 'a_b/poison.test' })), /namespace/],
  ['a bind that is no address', (name) => gateway(name, server(simple('good'), { bind: 'here' })), /bind/],
]

/** Bad, but nobody can tell from outside of a handshake. */
const silent = secret('same', pair(other.chain, other.key)) + secret('expired', pair(expired.chain, expired.key))
  + gateway('same', server({ mode: 'SIMPLE', credentialNames: ['good', 'same'] }, { host: 'two-of-a-kind.test' }), { ...server(simple('expired'), { host: 'expired.test' }), port: { number: 443, name: 'more', protocol: 'HTTPS' } })

let mesh: LocalMesh
before(async () => {
  mesh = await startLocalMesh({
    'a.yaml': echo('a') + service('a') + gatewayTo('a'),
    'good.yaml': secret('good', pair(good.chain, good.key)) + gateway('good', server(simple('good'), { host: 'good.test' }))
      + 'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: good }\nspec: { hosts: ["*"], gateways: [good, same], http: [{ route: [{ destination: { host: a } }] }] }\n',
  }, { watch: true })
})
after(() => mesh[Symbol.asyncDispose]())

function ask(serverName: string): Promise<string> {
  const at = mesh.gatewayAt(443)
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(error.message)
    request({ host: at.host, port: at.port, servername: serverName, headers: { host: serverName }, ca: authority.roots, agent: false, timeout: 10_000 }, (incoming) => {
      text(incoming).then(() => resolve(String(incoming.statusCode)), failed)
    }).on('error', failed).end()
  })
}

async function allGood(): Promise<void> {
  for (let n = 0; n < 20; n++) {
    assert.equal(await ask('good.test'), '200')
    assert.equal((await mesh.get('/')).status, 200)
  }
}

test('two dozen kinds of bad gateways and secrets cost only themselves, and each is named', async () => {
  await allGood()
  for (const [index, [title, yaml, said]] of poisons.entries()) {
    const name = `poison-${index}`
    const before = mesh.lines.length
    await mesh.folder.write(`mesh/${name}.yaml`, yaml(name))
    await mesh.until(`a word about ${title}`, () => mesh.lines.slice(before).some((line) => said.test(line)))
    assert.equal(await ask('good.test'), '200', title)
  }
  await mesh.edit(() => mesh.folder.write('mesh/silent.yaml', silent))
  await allGood()
  assert.match(await ask('expired.test'), /expired/)
  assert.notEqual(await ask('two-of-a-kind.test'), '200')
  assert.deepEqual(mesh.lines.filter((line) => /Gateway\/default\/good/.test(line)), [], 'nothing was said of the good one')
  assert.ok(!mesh.lines.join('\n').includes(good.key.split('\n')[1]!), 'no key is in the log')
})

test('all of them at once from the start: the good ones serve', async () => {
  const again = await startLocalMesh({
    'a.yaml': echo('a') + service('a') + gatewayTo('a'),
    'good.yaml': secret('good', pair(good.chain, good.key)) + gateway('good', server(simple('good'), { host: 'good.test' }))
      + 'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: good }\nspec: { hosts: ["*"], gateways: [good], http: [{ route: [{ destination: { host: a } }] }] }\n',
    'silent.yaml': silent,
    ...Object.fromEntries(poisons.map(([, yaml], index) => [`poison-${index}.yaml`, yaml(`poison-${index}`)])),
  })
  await mesh[Symbol.asyncDispose]()
  mesh = again
  await allGood()
})
