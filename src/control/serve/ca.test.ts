import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import { createSigner, keySetOf } from '../../../test/support/tokens.ts'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../proto/gen/istio/v1/auth/ca_pb.ts'
import { generateKey } from '../../security/x509/key.ts'
import { createRequest } from '../../security/x509/request.ts'
import { openCa } from '../ca/ca.ts'
import { createBootstrapTokens } from '../ca/tokens.ts'
import { openWorkloadTokens } from '../ca/workload-tokens.ts'
import { certificateService } from './ca.ts'
import { grpcStatus } from './rpc.ts'
import type { Caller } from './rpc.ts'

const trustDomain = 'cluster.local'
const reviews = { trustDomain, namespace: 'default', serviceAccount: 'reviews' }
const ratings = { ...reviews, serviceAccount: 'ratings' }
const uri = (name: string, domain = trustDomain): string => `spiffe://${domain}/ns/default/sa/${name}`
const csr = createRequest(generateKey(), uri('admin'))
const loopback: Caller = { remoteAddress: { host: '127.0.0.1', port: 4000 }, encrypted: false, uris: [], bearer: '' }
const encrypted: Caller = { ...loopback, remoteAddress: { host: '10.1.2.3', port: 4000 }, encrypted: true }

async function openService() {
  const folder = await TempFolder.create()
  const lines: string[] = []
  const ca = await openCa({ stateDir: folder.path, trustDomain })
  const tokens = await createBootstrapTokens({ stateDir: folder.path })
  const service = certificateService({ ca, tokens, log: (line) => lines.push(line) })
  return {
    ca, tokens, lines, path: folder.path,
    ask: async (caller: Caller, request: MessageInitShape<typeof IstioCertificateRequestSchema> = { csr }) => {
      const bytes = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, request))
      return fromBinary(IstioCertificateResponseSchema, await service.handle(bytes, caller)).certChain
    },
    raw: (bytes: Uint8Array) => service.handle(bytes, encrypted),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

test('a token gives the certificate of its identity, whatever the request asks to be called', async () => {
  await using service = await openService()
  for (const caller of [encrypted, loopback, { ...loopback, remoteAddress: { host: '::1', port: 1 } }]) {
    const chain = await service.ask({ ...caller, bearer: service.tokens.create(reviews, 60_000) })
    const leaf = new X509Certificate(chain[0]!)
    assert.equal(leaf.subjectAltName, `URI:${uri('reviews')}`)
    assert.ok(leaf.verify(new X509Certificate(chain.at(-1)!).publicKey))
    assert.deepEqual([chain.length, chain.at(-1)], [2, service.ca.roots])
  }
})

test('a client certificate renews its own identity, and counts before a token', async () => {
  await using service = await openService()
  const [leaf] = await service.ask({ ...encrypted, uris: [uri('reviews')], bearer: service.tokens.create(ratings, 60_000) })
  assert.equal(new X509Certificate(leaf!).subjectAltName, `URI:${uri('reviews')}`)
  assert.match(service.lines[0]!, new RegExp(`^certificate ${new X509Certificate(leaf!).serialNumber} issued to ${uri('reviews')} at 10.1.2.3:4000 by its client certificate, until 20`))
})

test('a client certificate that is no identity does not stand in the way of a token', async () => {
  await using service = await openService()
  const [leaf] = await service.ask({ ...encrypted, uris: ['https://a.test'], bearer: service.tokens.create(ratings, 60_000) })
  assert.equal(new X509Certificate(leaf!).subjectAltName, `URI:${uri('ratings')}`)
})

type Service = Awaited<ReturnType<typeof openService>>
const token = (service: Service): string => service.tokens.create(reviews, 60_000)
const refusals = [
  { title: 'plaintext on loopback without a token', caller: () => loopback, message: /show a client certificate of this mesh, or a bootstrap token/ },
  { title: 'TLS without a certificate or token', caller: () => encrypted, message: /show a client certificate/ },
  { title: 'plaintext from another host, even with a token', caller: (service: Service) => ({ ...encrypted, encrypted: false, bearer: token(service) }), message: /plaintext/ },
  { title: 'a host that only begins like loopback', caller: (service: Service) => ({ ...loopback, remoteAddress: { host: '127.0.0.1.evil', port: 1 }, bearer: token(service) }), message: /plaintext/ },
  { title: 'a token that was made elsewhere', caller: () => ({ ...encrypted, bearer: 'eyJhbGciOiJub25lIn0.e30.' }), message: /not one of this control plane/ },
  { title: 'a token for another trust domain', caller: (service: Service) => ({ ...encrypted, bearer: service.tokens.create({ ...reviews, trustDomain: 'other' }, 60_000) }), message: /another trust domain than cluster.local/ },
  { title: 'a certificate of another trust domain', caller: () => ({ ...encrypted, uris: [uri('reviews', 'other')] }), message: /not for one identity of cluster.local/ },
  { title: 'a certificate of two identities', caller: () => ({ ...encrypted, uris: [uri('reviews'), uri('ratings')] }), message: /not for one identity/ },
]
for (const { title, caller, message } of refusals) {
  test(`${title} is refused as unauthenticated, and the log says so`, async () => {
    await using service = await openService()
    await assert.rejects(service.ask(caller(service)), { status: grpcStatus.unauthenticated, message })
    assert.match(service.lines[0]!, /^no certificate for /)
    assert.match(service.lines[0]!, message)
  })
}

test('nobody gets the certificate of somebody else by asking for it', async () => {
  await using service = await openService()
  const caller = { ...encrypted, uris: [uri('reviews')] }
  await assert.rejects(service.ask(caller, { csr, metadata: { ImpersonatedIdentity: uri('ratings') } }), { status: grpcStatus.unauthenticated })
})

const badRequests = [
  { title: 'a request that is not signed by its key', request: { csr: csr.replace(/(?<=\n)[^\n](?=[^\n]*\n-----END)/, (letter) => (letter === 'A' ? 'B' : 'A')) } },
  { title: 'a request that is no request', request: { csr: 'hello' } },
  { title: 'a lifetime of a year', request: { csr, validityDuration: 31_536_000n } },
  { title: 'the largest lifetime there is', request: { csr, validityDuration: (1n << 63n) - 1n } },
  { title: 'a signer of another name', request: { csr, metadata: { CertSigner: 'vault' } } },
]
for (const { title, request } of badRequests) {
  test(`${title} is refused as an invalid argument`, async () => {
    await using service = await openService()
    await assert.rejects(service.ask({ ...encrypted, uris: [uri('reviews')] }, request), { status: grpcStatus.invalidArgument })
  })
}

test('bytes that are no request are refused as an invalid argument', async () => {
  await using service = await openService()
  await assert.rejects(service.raw(Uint8Array.of(0xff, 0xff)), { status: grpcStatus.invalidArgument })
})

test('a lifetime of seconds is granted', async () => {
  await using service = await openService()
  const [leaf] = await service.ask({ ...encrypted, uris: [uri('reviews')] }, { csr, validityDuration: 5n })
  const left = Date.parse(new X509Certificate(leaf!).validTo) - Date.now()
  assert.ok(left > 0 && left <= 5000)
})

test('a token for one use gives one certificate, also of several that ask at once and after a restart; a request that fails does not use it up', async () => {
  await using service = await openService()
  const bearer = service.tokens.create(reviews, 60_000, 'one')
  const refused = { status: grpcStatus.unauthenticated, message: /for one use, and has been used/ }
  await assert.rejects(service.ask({ ...encrypted, bearer }, { csr: 'nonsense' }), { status: grpcStatus.invalidArgument })
  const asked = await Promise.allSettled(Array.from({ length: 8 }, () => service.ask({ ...encrypted, bearer })))
  assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 1)
  await assert.rejects(service.ask({ ...encrypted, bearer }), refused)
  const restarted = certificateService({ ca: service.ca, tokens: await createBootstrapTokens({ stateDir: service.path }), log: () => {} })
  const bytes = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr }))
  await assert.rejects(restarted.handle(bytes, { ...encrypted, bearer }), refused)
  assert.equal((await service.ask({ ...encrypted, bearer: service.tokens.create(reviews, 60_000, 'one') })).length, 2)
})

const platform = createSigner('platform')
const inAMinute = (): number => Math.floor(Date.now() / 1000) + 60
const claims = (more: object = {}) => ({ iss: 'https://kubernetes.test', aud: ['istio-ca', 'other'], sub: 'system:serviceaccount:default:reviews', exp: inAMinute(), ...more })

const platformTokens: readonly { readonly title: string; readonly token: () => string; readonly refused?: RegExp }[] = [
  { title: 'a good one', token: () => platform.token(claims()) },
  { title: 'one for one audience', token: () => platform.token(claims({ aud: 'istio-ca' })) },
  { title: 'one for another audience', token: () => platform.token(claims({ aud: 'vault' })), refused: /not for istio-ca/ },
  { title: 'one for nobody', token: () => platform.token(claims({ aud: undefined })), refused: /not for istio-ca/ },
  { title: 'one of another issuer', token: () => platform.token(claims({ iss: 'https://elsewhere' })), refused: /not one of this control plane/ },
  { title: 'one that is over', token: () => platform.token(claims({ exp: inAMinute() - 120 })), refused: /Jwt is expired/ },
  { title: 'one without end', token: () => platform.token(claims({ exp: undefined })), refused: /never expires/ },
  { title: 'one of tomorrow', token: () => platform.token(claims({ nbf: inAMinute() + 86_400 })), refused: /not yet valid/ },
  { title: 'one that somebody else signed', token: () => createSigner('platform').token(claims()), refused: /verification fails/ },
  { title: 'one without signature', token: () => platform.token(claims(), { alg: 'none' }), refused: /not one of this control plane/ },
  { title: 'one of a user', token: () => platform.token(claims({ sub: 'admin' })), refused: /not of a service account/ },
  { title: 'one of an account with a path', token: () => platform.token(claims({ sub: 'system:serviceaccount:default:a/../b' })), refused: /not of a service account/ },
]
for (const { title, token, refused } of platformTokens) {
  test(`of the tokens of a platform, ${title} is ${refused === undefined ? 'taken' : 'refused'}`, async () => {
    await using service = await openService()
    await writeFile(join(service.path, 'keys.json'), keySetOf(platform))
    const workloadTokens = await openWorkloadTokens({ issuer: 'https://kubernetes.test', audiences: ['istio-ca'], keysFile: join(service.path, 'keys.json'), trustDomain })
    const own = certificateService({ ca: service.ca, tokens: service.tokens, workloadTokens, log: () => {} })
    const bytes = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr }))
    const asked = own.handle(bytes, { ...encrypted, bearer: token() })
    if (refused !== undefined) return await assert.rejects(asked, { status: grpcStatus.unauthenticated, message: refused })
    assert.equal(new X509Certificate(fromBinary(IstioCertificateResponseSchema, await asked).certChain[0]!).subjectAltName, `URI:${uri('reviews')}`)
    await assert.rejects(own.handle(bytes, { ...loopback, remoteAddress: { host: '10.1.2.3', port: 1 }, bearer: token() }), { message: /plaintext/ })
  })
}

test('keys of a platform are read again when they change, and the last good ones stay while the file is rubbish', async () => {
  await using service = await openService()
  const keysFile = join(service.path, 'keys.json')
  await assert.rejects(openWorkloadTokens({ issuer: 'i', audiences: ['a'], keysFile, trustDomain }), { code: 'ca/state', message: /keys\.json cannot be used/ })
  await writeFile(keysFile, keySetOf(platform))
  const tokens = await openWorkloadTokens({ issuer: 'https://kubernetes.test', audiences: ['istio-ca'], keysFile, trustDomain })
  const successor = createSigner('successor', 'ES256')
  assert.ok('refused' in (await tokens.verify(successor.token(claims()))))
  await writeFile(keysFile, 'rubbish')
  assert.ok('identity' in (await tokens.verify(platform.token(claims()))))
  await writeFile(keysFile, keySetOf(platform, successor))
  assert.ok('identity' in (await tokens.verify(successor.token(claims()))))
})
