// gRPC of both our ends against Google's: our client calls a grpc-js server, and a grpc-js client gets a certificate from
// our CA.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, Metadata, Server, ServerCredentials, credentials, status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServiceDefinition, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'
import { openCa } from '../../src/control/ca/ca.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { certificateService } from '../../src/control/serve/ca.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../src/proto/gen/istio/v1/auth/ca_pb.ts'
import { openChannel } from '../../src/proxy/xds/channel.ts'
import { exportKey, generateKey } from '../../src/security/x509/key.ts'
import { createRequest } from '../../src/security/x509/request.ts'
import { createAuthority } from '../support/certificates.ts'
import { Arrivals } from '../support/scripted-xds.ts'
import { TempFolder } from '../support/temp-folder.ts'

const asIs = (bytes: Buffer): Buffer => bytes
const method = (path: string, stream: boolean) => ({
  path, requestStream: stream, responseStream: stream, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
})
const definition: ServiceDefinition = { say: method('/test.Echo/Say', false), chat: method('/test.Echo/Chat', true) }

const authority = createAuthority()
const identity = authority.issue('DNS:grpc.test')

async function startServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = new Server()
  server.addService(definition, {
    say(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      if (call.request.toString() === 'fail') done({ code: status.PERMISSION_DENIED, details: '100% no \u00e9' })
      else if (call.request.toString() !== 'wait') done(null, Buffer.concat([call.request, Buffer.from(String(call.metadata.get('authorization')[0] ?? ''))]))
    },
    chat(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (bytes: Buffer) => call.write(bytes))
      call.on('end', () => call.end())
    },
  })
  const pair = { cert_chain: Buffer.from(identity.chain), private_key: Buffer.from(identity.key) }
  const secure = ServerCredentials.createSsl(Buffer.from(authority.roots), [pair], true)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  return { port, [Symbol.asyncDispose]: async () => server.forceShutdown() }
}

function openTo(port: number) {
  const channel = openChannel({ address: { host: '127.0.0.1', port }, tls: { roots: authority.roots, serverName: 'grpc.test', certificate: authority.issue('URI:spiffe://a/ns/b/sa/c') } })
  return Object.assign(channel, { [Symbol.dispose]: () => channel.close() })
}

test('calls of our client: answers, metadata, statuses and deadlines of a grpc-js server over mutual TLS', async () => {
  await using server = await startServer()
  using channel = openTo(server.port)
  const say = (text: string, timeoutMs = 10_000) => channel.unary('/test.Echo/Say', Buffer.from(text), { timeoutMs, metadata: { authorization: 'Bearer x' } })
  assert.equal(Buffer.from(await say('hello')).toString(), 'helloBearer x')
  assert.equal((await say('x'.repeat(300_000))).length, 300_008)
  await assert.rejects(say('fail'), { code: 'rpc/permission-denied', message: 'PERMISSION_DENIED: 100% no \u00e9' })
  await assert.rejects(say('wait', 50), { code: 'rpc/deadline-exceeded' })
  await assert.rejects(channel.unary('/test.Echo/None', Buffer.alloc(0), { timeoutMs: 10_000 }), { code: 'rpc/unimplemented' })
})

test('a stream of our client goes both ways until one side ends it', async () => {
  await using server = await startServer()
  using channel = openTo(server.port)
  const messages = new Arrivals<string>()
  const ended = Promise.withResolvers<Error | undefined>()
  const call = channel.stream('/test.Echo/Chat', {}, { onMessage: (bytes) => messages.push(Buffer.from(bytes).toString()), onEnd: ended.resolve })
  for (const text of ['one', '', 'x'.repeat(200_000)]) {
    call.send(Buffer.from(text))
    assert.equal(await messages.next(), text)
  }
  call.end()
  assert.equal(await ended.promise, undefined)
})

test('a stream ends with a reason when the server is gone', async () => {
  const server = await startServer()
  using channel = openTo(server.port)
  const messages = new Arrivals<string>()
  const ended = Promise.withResolvers<Error | undefined>()
  const call = channel.stream('/test.Echo/Chat', {}, { onMessage: (bytes) => messages.push(Buffer.from(bytes).toString()), onEnd: ended.resolve })
  call.send(Buffer.from('hello'))
  await messages.next()
  await server[Symbol.asyncDispose]()
  assert.equal((await ended.promise as { code?: string } | undefined)?.code, 'rpc/unavailable')
})

test('a grpc-js client gets a certificate with a token, and renews it with the certificate', async () => {
  await using folder = await TempFolder.create()
  const ca = await openCa({ stateDir: folder.path, trustDomain: 'cluster.local' })
  const tokens = await createBootstrapTokens({ stateDir: folder.path })
  const certificate = ca.serverCertificate()
  await using server = await startGrpcServer({ methods: [certificateService({ ca, tokens, log: () => undefined })], tls: { address: { host: '127.0.0.1', port: 0 }, identity: certificate } })
  const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' }
  const key = generateKey()
  const order = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr: createRequest(key, 'spiffe://ignored'), validityDuration: 3600n }))
  const ask = (token: string, chain?: string): Promise<readonly string[]> => new Promise((resolve, reject) => {
    const own = chain === undefined ? [] : [Buffer.from(exportKey(key)), Buffer.from(chain)]
    const client = new Client(`127.0.0.1:${server.tlsAddress!.port}`, credentials.createSsl(Buffer.from(ca.roots), ...own), {
      // An address is no server name: Node 26 refuses what grpc-js would send.
      'grpc.ssl_target_name_override': 'istiod.istio-system.svc',
    })
    const metadata = new Metadata()
    if (token !== '') metadata.set('authorization', `Bearer ${token}`)
    client.makeUnaryRequest('/istio.v1.auth.IstioCertificateService/CreateCertificate', asIs, asIs, Buffer.from(order), metadata, (error, answer) => {
      client.close()
      if (error === null) resolve(fromBinary(IstioCertificateResponseSchema, answer!).certChain)
      else reject(error)
    })
  })
  const [first] = await ask(tokens.create(id, 60_000))
  const [second] = await ask('', first)
  for (const pem of [first, second]) assert.equal(new X509Certificate(pem!).subjectAltName, 'URI:spiffe://cluster.local/ns/default/sa/reviews')
  await assert.rejects(ask(''), { code: status.UNAUTHENTICATED })
  certificate.close()
})
