import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { temporaryFolder } from '../../../test/support/temporary-folder.ts'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../proto/gen/istio/v1/auth/ca_pb.ts'
import { generateKey } from '../../security/x509/key.ts'
import { createRequest } from '../../security/x509/request.ts'
import { openCa } from '../ca/ca.ts'
import { createBootstrapTokens } from '../ca/tokens.ts'
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
  const folder = await temporaryFolder()
  const lines: string[] = []
  const ca = await openCa({ stateDir: folder.path, trustDomain })
  const tokens = await createBootstrapTokens({ stateDir: folder.path })
  const service = certificateService({ ca, tokens, log: (line) => lines.push(line) })
  return {
    ca, tokens, lines,
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
