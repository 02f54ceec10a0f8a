// A CUSTOM policy whose provider speaks gRPC: a real grpc-js server decides about requests to a workload of a real mesh.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { CheckRequestSchema, CheckResponseSchema } from '../../src/proto/gen/envoy/service/auth/v3/external_auth_pb.ts'
import type { CheckRequest } from '../../src/proto/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

type Said = MessageInitShape<typeof CheckResponseSchema> | Error

let world: LocalMesh
let answer: Said
let asked: CheckRequest | undefined
let seen: IncomingHttpHeaders = {}
const provider = new Server()
const web = createServer((request, response) => {
  seen = request.headers
  response.end('hello')
})

before(async () => {
  provider.addService({
    Check: {
      path: '/envoy.service.auth.v3.Authorization/Check', requestStream: false, responseStream: false,
      requestSerialize: (one: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, one)), requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
      responseSerialize: (one: Said) => Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, one as MessageInitShape<typeof CheckResponseSchema>))),
      responseDeserialize: (bytes: Buffer) => fromBinary(CheckResponseSchema, bytes),
    },
  }, {
    Check(call: ServerUnaryCall<CheckRequest, Said>, done: sendUnaryData<Said>) {
      asked = call.request
      if (answer instanceof Error) done({ code: status.INTERNAL, details: answer.message })
      else done(null, answer)
    },
  })
  const providerPort = await new Promise<number>((resolve, reject) => provider.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error))))
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  world = await startLocalMesh({ 'mesh.yaml': meshFile((web.address() as AddressInfo).port, providerPort) })
})

after(async () => {
  await world[Symbol.asyncDispose]()
  provider.forceShutdown()
  web.close()
})

const meshFile = (webPort: number, providerPort: number): string => `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: web, labels: { app: web } }
spec: { ports: [{ name: http, containerPort: ${webPort} }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: ${webPort} }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: decider }
spec: { hosts: [decider.example], location: MESH_EXTERNAL, resolution: STATIC, ports: [{ number: 9000, name: grpc, protocol: GRPC, targetPort: ${providerPort} }], endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    accessLogFile: /dev/stdout
    extensionProviders: [{ name: decider, envoyExtAuthzGrpc: { service: decider.example, port: 9000, timeout: 2s, statusOnError: "503" } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask }
spec: { action: CUSTOM, provider: { name: decider }, selector: { matchLabels: { app: web } }, rules: [{ to: [{ operation: { paths: ["/asked*"] } }] }] }
`

async function get(path: string): Promise<{ readonly status: number; readonly body: string; readonly headers: Headers }> {
  asked = undefined
  const inbound = world.mesh.processes.find((one) => one.name === 'web')!.inbound[0]!
  const response = await fetch(`http://${inbound}${path}`, { headers: { 'x-user': 'me', 'x-secret': 's' }, redirect: 'manual' })
  return { status: response.status, body: await response.text(), headers: response.headers }
}

const header = (key: string, value: string) => ({ header: { key, value } })

void test('what no policy matches is not asked about', async () => {
  answer = new Error('never')
  assert.equal((await get('/else')).status, 200)
  assert.equal(asked, undefined)
})

void test('allowed: the provider sees the request, and changes headers both ways', async () => {
  answer = { status: { code: 0 }, httpResponse: { case: 'okResponse', value: { headers: [header('x-user', 'anna'), header('X-New', 'n')], headersToRemove: ['x-secret'], responseHeadersToAdd: [header('x-session', '1')] } } }
  const reply = await get('/asked?q=1')
  assert.deepEqual([reply.status, reply.body, reply.headers.get('x-session')], [200, 'hello', '1'])
  const http = asked!.attributes!.request!.http!
  assert.deepEqual([http.method, http.path, http.headers['x-user'], http.headers[':method'], http.protocol], ['GET', '/asked?q=1', 'me', 'GET', 'HTTP/1.1'])
  assert.deepEqual([seen['x-user'], seen['x-new'], seen['x-secret']], ['anna', 'n', undefined])
})

void test('denied: with its status, body and headers, or 403', async () => {
  answer = { status: { code: 7 }, httpResponse: { case: 'deniedResponse', value: { status: { code: 302 }, body: 'go', headers: [header('Location', '/login')] } } }
  const reply = await get('/asked')
  assert.deepEqual([reply.status, reply.body, reply.headers.get('location')], [302, 'go', '/login'])
  answer = { status: { code: 16 } }
  assert.deepEqual((await get('/asked')).status, 403)
  await world.until('the log line', () => world.accessLog.some((line) => line.includes('ext_authz_denied') && line.includes('UAEX')))
})

void test('what is no answer denies: an error, a contradiction, changes that are not made here', async () => {
  const useless: readonly Said[] = [
    new Error('broken'), { status: { code: 0 }, httpResponse: { case: 'deniedResponse', value: {} } },
    { status: { code: 0 }, httpResponse: { case: 'okResponse', value: { queryParametersToRemove: ['q'] } } },
  ]
  for (const one of useless) {
    answer = one
    assert.equal((await get('/asked')).status, 503)
  }
  await world.until('the log line', () => world.accessLog.some((line) => line.includes('ext_authz_error')))
})
