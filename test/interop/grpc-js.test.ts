// grpc-js as a client of our gRPC server: a foreign implementation of framing, trailers, deadlines and TLS.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, Metadata, credentials } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { adsMethods } from '../../src/control/serve/ads.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import type { GrpcServerOptions } from '../../src/control/serve/grpc.ts'
import { GrpcError, grpcStatus } from '../../src/control/serve/rpc.ts'
import type { Method } from '../../src/control/serve/rpc.ts'
import { worldSource } from '../../src/control/serve/world-source.ts'
import { WorldState } from '../../src/control/world-state.ts'
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DiscoveryRequest, DiscoveryResponse } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../src/xds/types.ts'
import { sidecarNode } from '../support/ads-client.ts'
import { bookinfo } from '../support/bookinfo-world.ts'
import { createAuthority } from '../support/certificates.ts'

const echo: Method = { kind: 'unary', path: '/test.Echo/Say', handle: (request) => Promise.resolve(request) }
const fails: Method = { kind: 'unary', path: '/test.Echo/Fail', handle: () => Promise.reject(new GrpcError(grpcStatus.permissionDenied, 'nö: 100%')) }
const never: Method = { kind: 'unary', path: '/test.Echo/Never', handle: () => new Promise(() => undefined) }
const same = (bytes: Buffer): Buffer => bytes

async function open(options: Partial<GrpcServerOptions>) {
  const server = await startGrpcServer({ methods: [echo, fails, never], plaintextPort: 0, ...options })
  const client = new Client(`127.0.0.1:${server.plaintextAddress!.port}`, credentials.createInsecure())
  return {
    server, client,
    async [Symbol.asyncDispose]() {
      client.close()
      await server.close()
    },
  }
}

function call(client: Client, path: string, request: Buffer, deadlineMs = 10_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, request, new Metadata(), { deadline: Date.now() + deadlineMs }, (error, response) => {
      if (error === null) resolve(response ?? Buffer.alloc(0))
      else reject(error)
    })
  })
}

test('unary calls, small and large', async () => {
  await using at = await open({})
  assert.equal(String(await call(at.client, echo.path, Buffer.from('hello'))), 'hello')
  const large = Buffer.alloc(2_000_000, 'x')
  assert.ok((await call(at.client, echo.path, large)).equals(large))
  assert.equal((await call(at.client, echo.path, Buffer.alloc(0))).length, 0)
})

const failures = [
  { title: 'an error with a text that needs encoding', path: fails.path, code: grpcStatus.permissionDenied, details: /^nö: 100%$/ },
  { title: 'a method that does not exist', path: '/test.Echo/Nothing', code: grpcStatus.unimplemented, details: /no such method/ },
  { title: 'a deadline', path: never.path, code: grpcStatus.deadlineExceeded, details: /./ },
]
for (const { title, path, code, details } of failures) {
  test(`${title} arrives as such`, async () => {
    await using at = await open({})
    await assert.rejects(call(at.client, path, Buffer.from('x'), path === never.path ? 50 : 10_000), (error: ServiceError) => error.code === code && details.test(error.details))
  })
}

test('over TLS, with and without a certificate of the client', async () => {
  const authority = createAuthority()
  const served = authority.issue('DNS:istiod.istio-system.svc')
  const own = authority.issue('URI:spiffe://cluster.local/ns/default/sa/reviews')
  const names: Method = { kind: 'unary', path: '/test.Who/Am', handle: (_, { uris }) => Promise.resolve(Buffer.from(uris.join())) }
  await using server = await startGrpcServer({
    methods: [names],
    tls: { address: { host: '127.0.0.1', port: 0 }, identity: { current: () => ({ ...served, roots: authority.roots }), onChange: () => () => undefined } },
  })
  const roots = Buffer.from(authority.roots)
  const ask = async (secure: ReturnType<typeof credentials.createSsl>): Promise<string> => {
    const client = new Client(`127.0.0.1:${server.tlsAddress!.port}`, secure, { 'grpc.ssl_target_name_override': 'istiod.istio-system.svc' })
    try {
      return String(await call(client, names.path, Buffer.from('x')))
    } finally {
      client.close()
    }
  }
  assert.equal(await ask(credentials.createSsl(roots, Buffer.from(own.key), Buffer.from(own.chain))), 'spiffe://cluster.local/ns/default/sa/reviews')
  assert.equal(await ask(credentials.createSsl(roots)), '')
})

type Ads = ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>

function openAds(client: Client): Ads {
  return client.makeBidiStreamRequest(
    adsMethods({ ready: true, connect: () => assert.fail(), onPush: () => () => undefined }).at(-1)!.path,
    (request: DiscoveryRequest) => Buffer.from(toBinary(DiscoveryRequestSchema, request)),
    (bytes: Buffer) => fromBinary(DiscoveryResponseSchema, bytes),
  )
}

test('ADS: a response, its acknowledgement, a push, and the end that the server gives', async () => {
  const state = new WorldState()
  state.update(bookinfo())
  await using at = await open({ methods: adsMethods(worldSource(state)) })
  const ads = openAds(at.client)
  const ended = new Promise<ServiceError>((resolve) => ads.once('error', resolve))
  const next = (): Promise<DiscoveryResponse> => new Promise((resolve) => ads.once('data', resolve))
  let arriving = next()
  ads.write(create(DiscoveryRequestSchema, { node: sidecarNode('productpage', '127.1.0.1'), typeUrl: typeUrls.CDS }))
  const first = await arriving
  assert.ok(first.resources.length > 3)
  arriving = next()
  ads.write(create(DiscoveryRequestSchema, { typeUrl: typeUrls.CDS, responseNonce: first.nonce, versionInfo: first.versionInfo }))
  const world = bookinfo()
  state.update({ ...world, services: world.services.slice(1) })
  assert.ok((await arriving).resources.length < first.resources.length)
  await at.server.close()
  assert.equal((await ended).code, grpcStatus.unavailable)
})
