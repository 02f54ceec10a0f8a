// A CA that the operator gives, in a folder of Istio's layout, made by openssl: chains, what does not fit, replacement while it
// is used, and a rotation of the root under which no handshake fails.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { EnvCapture } from '../../src/agent/env-capture.ts'
import { openCa } from '../../src/control/ca/ca.ts'
import { caFolder } from '../../src/control/ca/signing.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { startControl } from '../../src/control/main.ts'
import { certificateService } from '../../src/control/serve/ca.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import { controlSettings } from '../../src/control/settings.ts'
import { readProxyNode } from '../../src/control/translate/proxy-node.ts'
import { secrets } from '../../src/control/translate/secret/kubernetes.ts'
import { BuildCache } from '../../src/control/translate/translator.ts'
import { describe } from '../../src/lib/errors.ts'
import { formatAddress } from '../../src/model/address.ts'
import { createClientTls } from '../../src/net/tls.ts'
import { openIdentity } from '../../src/proxy/identity/identity.ts'
import type { Identity } from '../../src/proxy/identity/identity.ts'
import { startProxy } from '../../src/proxy/main.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import { generateKey } from '../../src/security/x509/key.ts'
import { splitCertificates } from '../../src/security/x509/pem.ts'
import { createRequest } from '../../src/security/x509/request.ts'
import { filesOnce } from '../../src/sources/files/read.ts'
import { watchFiles } from '../../src/sources/files/watch.ts'
import { createAuthority } from '../support/certificates.ts'
import type { TestAuthority, TestCertificate } from '../support/certificates.ts'
import { freePort } from '../support/hosts.ts'
import { scriptedPeer } from '../support/http-peers.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { shake } from '../support/shake.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'
import { mutualTls, tcpChain, tcpListener } from '../support/xds-messages.ts'

const trustDomain = 'cluster.local'
const id = { trustDomain, namespace: 'default', serviceAccount: 'a' }
const [one, two] = [createAuthority('root one'), createAuthority('root two')]
const ownPair = ({ roots, key }: TestAuthority): TestCertificate => ({ chain: roots, key })

interface Content {
  readonly signer: TestCertificate
  readonly roots?: string
  readonly between?: string
  readonly crl?: string
}

/** The names of a kubernetes.io/tls Secret, or Istio's. */
async function put(folder: TempFolder, { signer, roots, between, crl }: Content, names = ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem']): Promise<void> {
  await folder.write(`ca/${names[1]}`, signer.key)
  await folder.write(`ca/${names[0]}`, signer.chain)
  if (roots !== undefined) await folder.write(`ca/${names[2]}`, roots)
  if (between !== undefined) await folder.write('ca/cert-chain.pem', between)
  if (crl !== undefined) await folder.write('ca/ca-crl.pem', crl)
}

/** Waits for what the CA says or becomes, never for time. */
async function opened(folder: TempFolder) {
  const lines: string[] = []
  const waiting: (() => void)[] = []
  const wake = (): void => waiting.splice(0).forEach((next) => next())
  const ca = await openCa({ stateDir: folder.at('state'), given: caFolder(folder.at('ca'), 'any'), trustDomain, log: (line) => { lines.push(line); wake() } })
  ca.onChange(wake)
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve))
  }
  return { ca, lines, until, [Symbol.dispose]: () => ca.close() }
}

const request = (): string => createRequest(generateKey(), 'spiffe://elsewhere/ns/a/sa/b')

test('certificates of a CA below the root come with everything up to the root, as openssl agrees', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  const signer = one.subordinate('intermediate')
  await put(folder, { signer, roots: one.roots, between: `${signer.chain}${one.roots}` })
  using opening = await opened(folder)
  const { ca } = opening
  const { chain, notAfter } = ca.sign(request(), id, 0)
  assert.deepEqual(chain.slice(1).map((pem) => new X509Certificate(pem).subject), ['O=intermediate'])
  assert.equal(ca.roots, one.roots)
  assert.ok(notAfter <= Date.parse(new X509Certificate(signer.chain).validTo))
  for (const [name, text] of [['leaf.pem', chain[0]!], ['between.pem', chain[1]!], ['root.pem', ca.roots]] as const) await folder.write(name, text)
  assert.match(execFileSync('openssl', ['verify', '-CAfile', folder.at('root.pem'), '-untrusted', folder.at('between.pem'), folder.at('leaf.pem')], { encoding: 'utf8' }), /OK/)
  const certificate = ca.serverCertificate()
  assert.equal(splitCertificates(certificate.current().chain).length, 2)
  certificate.close()
})

test('a root that signs itself has nothing between, and the names of kubernetes.io/tls will do', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await put(folder, { signer: ownPair(one), roots: one.roots }, ['tls.crt', 'tls.key', 'ca.crt'])
  using opening = await opened(folder)
  assert.equal(opening.ca.sign(request(), id, 0).chain.length, 1)
})

const intermediate = one.subordinate('intermediate')
const wrong: readonly { readonly title: string; readonly content: Content; readonly remove?: string; readonly says: RegExp }[] = [
  { title: 'no key', content: { signer: ownPair(one), roots: one.roots }, remove: 'ca-key.pem', says: /ca-key\.pem is not in .*: a CA has/ },
  { title: 'no certificate', content: { signer: ownPair(one), roots: one.roots }, remove: 'ca-cert.pem', says: /ca-cert\.pem is not in/ },
  { title: 'no root', content: { signer: intermediate }, says: /root-cert\.pem is not in/ },
  { title: 'the key of another', content: { signer: { chain: intermediate.chain, key: two.key }, roots: one.roots }, says: /the key does not belong/ },
  { title: 'the root of another', content: { signer: intermediate, roots: two.roots }, says: /"O=intermediate" leads to none of the roots/ },
  { title: 'a certificate of no CA', content: { signer: one.issue('DNS:a'), roots: one.roots }, says: /not one of a CA/ },
  { title: 'rubbish for roots', content: { signer: intermediate, roots: 'roots' }, says: /root-cert\.pem or ca-crl\.pem: there is no certificate in PEM/ },
  { title: 'rubbish for revocations', content: { signer: intermediate, roots: one.roots, crl: 'list' }, says: /revocation list is not PEM/ },
]
for (const { title, content, remove, says } of wrong) {
  test(`of a folder of a CA, ${title} stops the control plane with a clear message`, { timeout: 20_000 }, async () => {
    await using folder = await TempFolder.create()
    await put(folder, content)
    if (remove !== undefined) await folder.remove(`ca/${remove}`)
    const error: unknown = await openCa({ stateDir: folder.at('state'), given: caFolder(folder.at('ca'), 'any'), trustDomain }).then(() => assert.fail('it opened'), (reason: unknown) => reason)
    assert.match(describe(error), says)
  })
}

test('another signer below the same root is adopted while the CA runs; what does not fit, and a strange root, are said and not taken', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await put(folder, { signer: intermediate, roots: one.roots })
  using opening = await opened(folder)
  const { ca, lines, until } = opening
  const signerOf = (): string => new X509Certificate(ca.sign(request(), id, 0).chain[1]!).subject
  await folder.write('ca/ca-cert.pem', 'half')
  await until(() => lines.some((line) => /goes on with what it has/.test(line)))
  assert.equal(signerOf(), 'O=intermediate')
  await put(folder, { signer: one.subordinate('successor'), roots: one.roots })
  await until(() => lines.some((line) => /the CA was replaced/.test(line)))
  assert.equal(signerOf(), 'O=successor')
  await put(folder, { signer: two.subordinate('stranger'), roots: two.roots })
  await until(() => lines.some((line) => /neither contain those before nor are part of them: first add the new root beside the old one/.test(line)))
  assert.equal(signerOf(), 'O=successor')
  assert.ok(!lines.join().includes(two.key.slice(40, 80)))
})

async function startService(folder: TempFolder) {
  const opening = await opened(folder)
  const { ca } = opening
  const tokens = await createBootstrapTokens({ stateDir: folder.at('state') })
  const certificate = ca.serverCertificate()
  const server = await startGrpcServer({
    methods: [certificateService({ ca, tokens, log: () => {} })], tls: { address: { host: '127.0.0.1', port: 0 }, identity: certificate },
  })
  const identities: Identity[] = []
  return {
    ...opening,
    async identity(serviceAccount: string, lifetimeMs = 3000): Promise<Identity> {
      const own = { ...id, serviceAccount }
      const identity = openIdentity({ id: own, lifetimeMs, ca: { address: server.tlsAddress!, tls: { roots: ca.roots, serverName: '' } }, bearer: () => tokens.create(own, 60_000) })
      ca.onChange(() => identity.takeTrust!({ roots: ca.roots, crl: ca.crl }))
      identities.push(identity)
      await identity.whenReady
      return identity
    },
    async [Symbol.asyncDispose]() {
      for (const identity of identities) identity.close()
      certificate.close()
      await server.close()
      ca.close()
    },
  }
}

const issuerOf = (identity: Identity): string => new X509Certificate(splitCertificates(identity.certificate('default')!.chain)[0]!).issuer

test('a root is rotated in three steps with two roots, and no handshake fails meanwhile', { timeout: 60_000 }, async () => {
  await using folder = await TempFolder.create()
  await put(folder, { signer: ownPair(one), roots: one.roots })
  await using service = await startService(folder)
  const [server, client] = await Promise.all([service.identity('server'), service.identity('client')])
  await using greeter = await scriptedPeer((socket) => socket.end('.'))
  await using world = new ListenerWorld({ secrets: server, clusters: { greeter: greeter.address } })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'greeter', {}, mutualTls())] }))
  const failures: string[] = []
  let done = 0
  const shakeUntil = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      const failure = await shake(port, createClientTls({ certificate: client.certificate('default')!, trust: client.trust('ROOTCA')! }))
      if (failure !== undefined) failures.push(failure)
      done++
    }
  }
  const trusts = (...authorities: readonly TestAuthority[]) => () => [server, client].every((each) => splitCertificates(each.trust('ROOTCA')!.roots).length === authorities.length)
  const signedBy = (name: string) => () => [server, client].every((each) => issuerOf(each) === `O=${name}`)
  await shakeUntil(signedBy('root one'))
  await put(folder, { signer: ownPair(one), roots: `${one.roots}${two.roots}` })
  await shakeUntil(trusts(one, two))
  await put(folder, { signer: ownPair(two), roots: `${one.roots}${two.roots}` })
  await shakeUntil(signedBy('root two'))
  await put(folder, { signer: ownPair(two), roots: two.roots })
  await shakeUntil(trusts(two))
  const before = done
  await shakeUntil(() => done > before + 20)
  assert.deepEqual(failures, [], `${failures.length} of ${done} failed`)
})

test('who is revoked is refused by those who hear of it, and nobody else is', { timeout: 30_000 }, async () => {
  await using folder = await TempFolder.create()
  await put(folder, { signer: ownPair(one), roots: one.roots })
  await using service = await startService(folder)
  const [server, client, other] = await Promise.all([service.identity('server', 600_000), service.identity('client', 600_000), service.identity('other', 600_000)])
  await using greeter = await scriptedPeer((socket) => socket.end('.'))
  await using world = new ListenerWorld({ secrets: server, clusters: { greeter: greeter.address } })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'greeter', {}, mutualTls())] }))
  const ask = (identity: Identity) => shake(port, createClientTls({ certificate: identity.certificate('default')!, trust: identity.trust('ROOTCA')! }))
  assert.deepEqual([await ask(client), await ask(other)], [undefined, undefined])
  const listed = one.revoke({ chain: splitCertificates(client.certificate('default')!.chain)[0]!, key: '' })
  await put(folder, { signer: ownPair(one), roots: one.roots, crl: listed })
  await service.until(() => service.ca.crl !== '')
  assert.notEqual(await ask(client), undefined)
  assert.match(world.refused.at(-1)!.detail, /revoked/)
  assert.equal(await ask(other), undefined)
})

test('a proxy that runs hears of another root and of revocations at once, over xDS', { timeout: 30_000 }, async () => {
  await using folder = await TempFolder.create()
  await put(folder, { signer: ownPair(one), roots: one.roots })
  await folder.write('mesh/mesh.yaml', 'apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: web, namespace: default }\nspec: { address: 127.0.0.1, labels: { app: web }, serviceAccount: web }\n')
  await using control = await startControl(controlSettings({ stateDir: folder.at('state'), caDir: folder.at('ca'), xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
    sources: [filesOnce([folder.at('mesh')])], log: () => {},
  })
  const proxy = await startProxy(proxySettings({
    name: 'web', namespace: 'default', serviceAccount: 'web', labels: { app: 'web' }, ip: '127.0.0.1', adminPort: 0,
    discoveryAddress: formatAddress(control.xds), token: control.bootstrapToken({ ...id, serviceAccount: 'web' }),
  }), { roots: control.roots, capture: new EnvCapture([], new Map()) })
  try {
    await proxy.whenReady
    const trusted = async (): Promise<number> => {
      const dump = await (await fetch(`http://127.0.0.1:${proxy.adminPort}/config_dump`)).text()
      const bundles = [...dump.matchAll(/"name":\s*"ROOTCA",\s*"validation_context":\s*\{\s*"trusted_ca":\s*\{\s*"inline_(?:bytes|string)":\s*"([^"]+)"/g)].map(([, text]) => Buffer.from(text!, 'base64').toString('utf8'))
      return Math.max(0, ...bundles.map((pem) => splitCertificates(pem).length))
    }
    assert.equal(await trusted(), 1)
    await put(folder, { signer: ownPair(one), roots: `${one.roots}${two.roots}` })
    for (let turn = 0; (await trusted()) !== 2; turn++) {
      assert.ok(turn < 1000, 'the proxy does not hear of the second root')
      await sleep(10)
    }
  } finally {
    await proxy.close()
  }
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const cacerts = (data: Readonly<Record<string, string>>): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: cacerts, namespace: istio-system }\ndata: ${JSON.stringify(Object.fromEntries(Object.entries(data).map(([name, text]) => [name, base64(text)])))}\n`

test('the Secret cacerts in the files is the CA, is followed, and is no credential for any proxy', { timeout: 30_000 }, async () => {
  await using folder = await TempFolder.create()
  const parts = { 'tls.crt': intermediate.chain, 'tls.key': intermediate.key, 'ca.crt': one.roots }
  await folder.write('mesh/cacerts.yaml', cacerts(parts))
  const lines: string[] = []
  await using control = await startControl(controlSettings({ stateDir: folder.at('state'), xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
    sources: [watchFiles([folder.at('mesh')])], log: (_level, line) => void lines.push(line),
  })
  assert.equal(control.roots, one.roots)
  const node = readProxyNode({ id: 'router~127.0.0.1~edge.istio-system~istio-system.svc.cluster.local', metadata: { NAMESPACE: 'istio-system' } })
  const sent = (name: string) => secrets.translate(node, control.state.snapshot, name, new BuildCache())
  for (const name of ['kubernetes://cacerts', 'kubernetes://istio-system/cacerts', 'kubernetes://cacerts-cacert']) assert.equal(sent(name), undefined, name)
  await folder.write('mesh/cacerts.yaml', cacerts({ ...parts, 'ca.crt': `${one.roots}${two.roots}` }))
  for (let turn = 0; control.roots === one.roots; turn++) {
    assert.ok(turn < 1000, `the Secret is not followed\n${lines.join('\n')}`)
    await sleep(10)
  }
  assert.ok(![...lines, JSON.stringify(control.state.snapshot.resources)].join().includes(intermediate.key.slice(40, 80)))
})

test('a Secret cacerts that comes later is adopted when it trusts the root of before too; another one is said and not taken', { timeout: 30_000 }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('mesh/mesh.yaml', 'apiVersion: v1\nkind: Namespace\nmetadata: { name: default }\n')
  const lines: string[] = []
  await using control = await startControl(controlSettings({ stateDir: folder.at('state'), xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
    sources: [watchFiles([folder.at('mesh')])], log: (_level, line) => void lines.push(line),
  })
  const own = control.roots
  const comesTo = (what: string, condition: () => boolean): Promise<void> => until(condition, () => `${what}\n${lines.join('\n')}`)
  const identity = openIdentity({ id, lifetimeMs: 2000, ca: { address: control.xds, tls: { roots: own, serverName: '' } }, bearer: () => control.bootstrapToken(id) })
  try {
    await identity.whenReady
    await folder.write('mesh/cacerts.yaml', cacerts({ 'ca-cert.pem': intermediate.chain, 'ca-key.pem': intermediate.key, 'root-cert.pem': one.roots }))
    await comesTo('nothing is said of the strange root', () => lines.some((line) => /first add the new root beside the old one/.test(line)))
    assert.equal(control.roots, own)
    await folder.write('mesh/cacerts.yaml', cacerts({ 'ca-cert.pem': intermediate.chain, 'ca-key.pem': intermediate.key, 'root-cert.pem': `${own}${one.roots}` }))
    await comesTo('the Secret is not adopted', () => control.roots === `${own}${one.roots}`)
    identity.takeTrust!({ roots: control.roots, crl: '' })
    await comesTo('no certificate is signed by it', () => issuerOf(identity) === 'O=intermediate')
    await folder.remove('mesh/cacerts.yaml')
    await comesTo('nothing is said of what is gone', () => lines.some((line) => /ca-cert\.pem is not in Secret istio-system\/cacerts.*goes on with what it has/.test(line)))
    assert.equal(control.roots, `${own}${one.roots}`)
  } finally {
    identity.close()
  }
})
