// Ports of HTTP/2 and gRPC, however they are declared, on the command line: valid without a word, explained by the routes
// of their service, and tested by users as any other request.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { main } from '../../src/cli/main.ts'
import { captureIo } from '../support/capture-io.ts'

const mesh = `
apiVersion: v1
kind: Service
metadata: { name: calls, namespace: default }
spec:
  clusterIP: 10.96.0.20
  selector: { app: calls }
  ports: [{ name: grpc, port: 50051 }, { name: api, port: 8080, appProtocol: kubernetes.io/h2c }, { name: http2-x, port: 8082 }, { name: any, port: 8083 }]
---
apiVersion: v1
kind: Pod
metadata: { name: calls-1, namespace: default, labels: { app: calls, security.istio.io/tlsMode: istio } }
spec: { serviceAccountName: calls, containers: [{ name: a }] }
status: { podIP: 10.0.0.2, phase: Running }
---
apiVersion: v1
kind: Pod
metadata: { name: client-1, namespace: default, labels: { app: client } }
spec: { serviceAccountName: client, containers: [{ name: a }] }
status: { podIP: 10.0.0.3, phase: Running }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: calls, namespace: default }
spec: { host: calls, trafficPolicy: { connectionPool: { http: { maxConcurrentStreams: 10, http2KeepAlive: { interval: 30s, timeout: 5s } } } }, subsets: [{ name: v1, labels: { app: calls } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: calls, namespace: default }
spec:
  hosts: [calls]
  http:
    - { name: greeter, match: [{ uri: { prefix: /helloworld.Greeter/ } }], route: [{ destination: { host: calls, subset: v1 } }], retries: { attempts: 2, retryOn: unavailable } }
    - { route: [{ destination: { host: calls } }] }
---
`

async function run(yaml: string, ...parameters: readonly string[]): Promise<string> {
  const io = captureIo(yaml)
  const code = await main([...parameters], io)
  assert.equal(code, 0, io.err() + io.out())
  assert.equal(io.err(), '')
  return io.out()
}

test('nothing is said of ports of HTTP/2 and gRPC, nor of what rules ask of HTTP/2', async () => {
  assert.match(await run(mesh, 'validate', '-f', '-'), /all valid\n/)
})

for (const port of [50_051, 8080, 8082, 8083]) {
  test(`a call to port ${port} is explained by the rule for its method`, async () => {
    const out = await run(mesh, 'explain', '-f', '-', '--from', 'default/client-1', '--request', `POST http://calls:${port}/helloworld.Greeter/SayHello`, '-H', 'content-type: application/grpc')
    assert.match(out, /matched +VirtualService default\/calls http\[0\]\.match\[0\] "greeter"/)
    assert.ok(out.includes(`[outbound|${port}|v1|calls.default.svc.cluster.local]`), out)
    assert.match(out, /retries +2, on unavailable/)
  })
}

test('users test calls as any other request', async () => {
  const tests = `
apiVersion: trysail.dev/v1
kind: RouteTest
metadata: { name: calls, namespace: default }
spec:
  defaults: { from: client-1 }
  tests:
    - { name: a call, request: { method: POST, url: "http://calls:50051/helloworld.Greeter/SayHello", headers: { content-type: application/grpc } }, expect: { destinations: [{ host: calls, subset: v1 }], retries: { attempts: 2, retryOn: unavailable } } }
    - { name: another service, request: { method: POST, url: "http://calls:50051/other.Service/Do" }, expect: { destinations: [{ host: calls }] } }
`
  assert.match(await run(mesh + tests, 'test', '-f', '-'), /2 tests: all passed/)
})
