// `trysail run` on the files that users have: Services with Processes, with EndpointSlices and with Pods whose programs run
// on this machine already, ServiceEntries, several namespaces, lists and JSON.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { echo, edgeGateway, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'

interface Running extends AsyncDisposable {
  readonly port: number
}

/** A program that runs already, on an address of this machine; it answers with its name. */
async function running(name: string, host: string, port = 0): Promise<Running> {
  const server = createServer((_, response) => response.end(JSON.stringify({ name })))
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What a program of the mesh got: `/via` and `/proxied` answer with it. */
function relayed(body: Record<string, unknown>): Record<string, unknown> {
  assert.equal(body['status'], 200, JSON.stringify(body))
  return JSON.parse(String(body['body'])) as Record<string, unknown>
}

test('a Process answers through the gateway, and asks another by the variables that Kubernetes would give it', async () => {
  await using mesh = await startLocalMesh({
    'web.yaml': echo('web') + service('web') + gatewayTo('web'),
    'deep/down/reviews.yaml': echo('reviews', { env: { VERSION: 'v1' } }) + service('reviews'),
  })
  const web = await mesh.json('/hello')
  assert.deepEqual([web['name'], web['path']], ['web', '/hello'])
  const reviews = relayed(await mesh.json('/via?service=REVIEWS&path=/x'))
  assert.deepEqual([reviews['name'], reviews['version'], reviews['path']], ['reviews', 'v1', '/x'])
  const { 'x-forwarded-client-cert': certificate, host } = reviews['headers'] as Record<string, string>
  assert.match(certificate ?? '', /^By=spiffe:\/\/cluster\.local\/ns\/default\/sa\/default;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/default$/)
  assert.equal(host, 'reviews.default.svc.cluster.local:80')
})

test('a program finds its name, its ports and its proxy in its environment, and what its file says wins', async () => {
  await using mesh = await startLocalMesh({ 'web.yaml': echo('web', { namespace: 'shop', env: { POD_NAME: 'mine', LEVEL: 'debug' } }) + service('web', 'shop') + gatewayTo('web.shop.svc.cluster.local') })
  const env = await mesh.json('/env?POD_NAME&POD_NAMESPACE&HOSTNAME&SERVICE_ACCOUNT&LEVEL&PORT&PORT_HTTP&HTTP_PROXY&NO_PROXY&WEB_SERVICE_PORT_HTTP&WEB_SERVICE_PORT')
  assert.deepEqual([env['POD_NAME'], env['POD_NAMESPACE'], env['HOSTNAME'], env['SERVICE_ACCOUNT'], env['LEVEL']], ['mine', 'shop', 'web', 'default', 'debug'])
  assert.equal(env['PORT'], env['PORT_HTTP'])
  assert.equal(env['WEB_SERVICE_PORT'], env['WEB_SERVICE_PORT_HTTP'])
  assert.match(String(env['HTTP_PROXY']), /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.match(String(env['NO_PROXY']), /127\.0\.0\.1/)
})

const pod = (version: string, ip: string, port: number): string => `
apiVersion: v1
kind: Pod
metadata: { name: reviews-${version}, namespace: default, labels: { app: reviews, version: ${version} } }
spec: { serviceAccountName: reviews, containers: [{ name: app, image: reviews, ports: [{ name: http, containerPort: ${port} }] }] }
status: { phase: Running, podIP: ${ip}, conditions: [{ type: Ready, status: "True" }] }
---`

test('Pods on loopback are used as they stand: subsets by their labels, from the gateway and from a sidecar', async () => {
  await using v1 = await running('v1', '127.0.0.11')
  await using _v2 = await running('v2', '127.0.0.12', v1.port)
  await using mesh = await startLocalMesh({
    'pods.yaml': pod('v1', '127.0.0.11', v1.port) + pod('v2', '127.0.0.12', v1.port) + service('reviews', 'default', '{ name: http, port: 9080, targetPort: http }'),
    'web.yaml': echo('web') + service('web'),
    'routes.yaml': `${edgeGateway}
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews, reviews.example.com]
  gateways: [edge, mesh]
  http:
  - match: [{ headers: { end-user: { exact: jason } } }, { uri: { prefix: /v2 } }]
    route: [{ destination: { host: reviews, subset: v2 } }]
  - route: [{ destination: { host: reviews, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web.example.com], gateways: [edge], http: [{ route: [{ destination: { host: web } }] }] }
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`,
  })
  const host = 'reviews.example.com'
  assert.equal((await mesh.json('/', { host }))['name'], 'v1')
  assert.equal((await mesh.json('/', { host, headers: { 'end-user': 'jason' } }))['name'], 'v2')
  const asked = async (path: string) => relayed(await mesh.json(`/via?service=REVIEWS&path=${path}`, { host: 'web.example.com' }))['name']
  assert.deepEqual([await asked('/'), await asked('/v2')], ['v1', 'v2'])
})

test('an EndpointSlice and a Service without selector: addresses of this machine, those that are not ready left out', async () => {
  await using ready = await running('ready', '127.0.0.13')
  await using mesh = await startLocalMesh({
    'ratings.json': JSON.stringify({
      apiVersion: 'v1', kind: 'List', items: [
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'ratings', namespace: 'default' }, spec: { ports: [{ name: 'http', port: 80 }] } },
        {
          apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4',
          metadata: { name: 'ratings-abc', namespace: 'default', labels: { 'kubernetes.io/service-name': 'ratings' } },
          ports: [{ name: 'http', port: ready.port, protocol: 'TCP' }],
          endpoints: [{ addresses: ['127.0.0.13'], conditions: { ready: true } }, { addresses: ['127.0.0.14'], conditions: { ready: false } }],
        },
      ],
    }),
    'edge.yaml': gatewayTo('ratings'),
  })
  const names = await Promise.all(Array.from({ length: 8 }, async () => (await mesh.json('/'))['name']))
  assert.deepEqual(new Set(names), new Set(['ready']))
})

test('a ServiceEntry selects WorkloadEntries, and names endpoints of its own', async () => {
  await using vm = await running('vm', '127.0.0.15')
  await using fixed = await running('fixed', '127.0.0.16')
  await using mesh = await startLocalMesh({
    'web.yaml': echo('web') + service('web') + gatewayTo('web'),
    'vms.yaml': `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: vms }
spec:
  hosts: [vms.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${vm.port} }]
  workloadSelector: { labels: { app: vm } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: vm-1 }
spec: { address: 127.0.0.15, labels: { app: vm } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: fixed }
spec:
  hosts: [fixed.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.16, ports: { http: ${fixed.port} } }]
`,
  })
  const asked = async (url: string) => relayed(await mesh.json(`/proxied?url=${url}`))['name']
  assert.equal(await asked('http://vms.example.com/'), 'vm')
  assert.equal(await asked('http://fixed.example.com/'), 'fixed')
})

test('two namespaces: the full name reaches the other one through HTTP_PROXY, a short name one\'s own', async () => {
  await using mesh = await startLocalMesh({
    'all.yaml': echo('web', { namespace: 'a' }) + service('web', 'a') + echo('db', { namespace: 'a', env: { VERSION: 'of-a' } }) + service('db', 'a')
      + echo('db', { namespace: 'b', env: { VERSION: 'of-b' } }) + service('db', 'b') + gatewayTo('web.a.svc.cluster.local'),
  })
  const asked = async (path: string) => relayed(await mesh.json(path))['version']
  assert.equal(await asked('/proxied?url=http://db.b.svc.cluster.local/'), 'of-b')
  assert.equal(await asked('/proxied?url=http://db.b/'), 'of-b')
  assert.equal(await asked('/proxied?url=http://db/'), 'of-a')
  await mesh.until('the log says where db.b is', () => mesh.accessLog.some((line) => line.includes('outbound|80||db.b.')))
  const at = /"([\d.]+:9080)" outbound\|80\|\|db\.b\./.exec(mesh.accessLog.join('\n'))?.[1] ?? ''
  const { version, headers } = relayed(await mesh.json(`/proxied?url=http://${at}/`))
  assert.equal(version, 'of-b', 'by its address')
  assert.match((headers as Record<string, string>)['x-forwarded-client-cert'] ?? '', /URI=spiffe:\/\/cluster\.local\/ns\/a\/sa\/default$/)
  assert.equal(await asked('/via?service=DB'), 'of-a')
})

test('a program in Python reads PORT and REVIEWS_SERVICE_HOST', async (t) => {
  await using mesh = await startLocalMesh({
    'front.py': `
import os, http.server, urllib.request
class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        url = 'http://%s:%s%s' % (os.environ['REVIEWS_SERVICE_HOST'], os.environ['REVIEWS_SERVICE_PORT'], self.path)
        body = urllib.request.urlopen(url).read()
        by_proxy = urllib.request.urlopen('http://reviews.default.svc.cluster.local/p').status
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.send_header('by-proxy', str(by_proxy))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Front).serve_forever()
`,
    'all.yaml': echo('reviews') + service('reviews') + service('front') + gatewayTo('front') + `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: front, labels: { app: front } }
spec: { command: [python3, front.py], ports: [{ name: http, containerPort: 9080 }], terminationGracePeriodSeconds: 1 }
`,
  }, { ready: false })
  await mesh.until('front runs', () => mesh.lines.some((line) => line.includes('no program "python3"')) || mesh.mesh.missing.length === 0)
  if (mesh.mesh.missing.length > 0) return t.skip('python3 is not here')
  await mesh.mesh.ready(5000)
  const { status, headers, body } = await mesh.get('/from-python')
  assert.deepEqual([status, headers['by-proxy']], [200, '200'])
  assert.equal((JSON.parse(body) as Record<string, unknown>)['path'], '/from-python')
})
