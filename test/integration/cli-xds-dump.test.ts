// `trysail xds dump`: the xDS of one proxy from files alone, with what is wrong with files or node said.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import { main } from '../../src/cli/main.ts'
import { captureIo } from '../support/capture-io.ts'

const folder = mkdtempSync(join(tmpdir(), 'trysail-dump-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const node = file('node.json', JSON.stringify({
  id: 'sidecar~10.0.0.1~web.default~default.svc.cluster.local',
  metadata: { LABELS: { app: 'web' }, NAMESPACE: 'default', SERVICE_ACCOUNT: 'web' },
  locality: { region: 'eu', zone: 'a' },
}))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

interface Dump {
  readonly listeners: readonly { readonly name: string }[]
  readonly routes: readonly { readonly name: string; readonly virtual_hosts: readonly unknown[] }[]
  readonly clusters: readonly { readonly name: string }[]
  readonly endpoints: readonly unknown[]
  readonly secrets: readonly string[]
}

async function run(yaml: string, ...args: readonly string[]) {
  const io = captureIo(yaml)
  const code = await main(['xds', 'dump', '-f', '-', ...args], io)
  return { code, out: io.out(), err: io.err() }
}

const service = `
apiVersion: v1
kind: Service
metadata: { name: books }
spec:
  clusterIP: 10.96.0.7
  ports: [{ name: http, port: 80, targetPort: 8080 }]
---
apiVersion: v1
kind: Endpoints
metadata: { name: books }
subsets:
- addresses: [{ ip: 10.0.0.9 }]
  ports: [{ name: http, port: 8080 }]
---
`
const rule = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: books }
spec:
  hosts: [books]
  http:
  - timeout: 3s
    route: [{ destination: { host: books } }]
`

test('a dump has all types in the JSON mapping of Envoy, and secrets by name only', async () => {
  const { code, out, err } = await run(service + rule, '--node', node, '-o', 'json')
  assert.deepEqual([code, err], [0, ''])
  const dump = JSON.parse(out) as Dump
  assert.deepEqual(Object.keys(dump), ['listeners', 'routes', 'clusters', 'endpoints', 'secrets'])
  assert.deepEqual(dump.listeners.map(({ name }) => name), ['virtualOutbound', '0.0.0.0_80', 'virtualInbound'])
  assert.deepEqual(dump.routes.map(({ name }) => name), ['80'])
  assert.deepEqual(dump.routes[0]!.virtual_hosts[0], {
    name: 'books.default.svc.cluster.local:80',
    domains: ['books.default.svc.cluster.local', 'books.default.svc.cluster.local.', 'books.default.svc', 'books.default', 'books', '10.96.0.7'],
    routes: [{
      match: { prefix: '/' },
      route: {
        cluster: 'outbound|80||books.default.svc.cluster.local',
        timeout: '3s',
        retry_policy: {
          retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes', num_retries: 2,
          retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate' } }],
          host_selection_retry_max_attempts: '5',
        },
      },
      metadata: { filter_metadata: {
        istio: { config: '/apis/networking.istio.io/v1/namespaces/default/virtual-service/books' },
        trysail: { resource: 'VirtualService/default/books', file: '-', line: 23, rule: 0 },
      } },
      decorator: { operation: 'books.default.svc.cluster.local:80/*' },
    }],
    include_request_attempt_count: true,
  })
  assert.deepEqual(dump.endpoints, [{
    cluster_name: 'outbound|80||books.default.svc.cluster.local',
    endpoints: [{
      lb_endpoints: [{
        endpoint: { address: { socket_address: { address: '10.0.0.9', port_value: 8080 } } },
        metadata: { filter_metadata: { istio: { workload: ';default;;latest;Kubernetes' } } },
        load_balancing_weight: 1,
      }],
      load_balancing_weight: 1,
    }],
  }])
  assert.deepEqual(dump.secrets, ['ROOTCA', 'default'])
})

test('text and YAML say the same as JSON', async () => {
  const [json, yaml, text] = await Promise.all(['json', 'yaml', 'text'].map((format) => run(service, '--node', node, '-o', format)))
  assert.deepEqual(parse(yaml!.out), JSON.parse(json!.out))
  assert.equal(text!.out, yaml!.out)
})

test('an invalid resource is reported with its line and left out, and the rest is dumped with exit code 1', async () => {
  const { code, out, err } = await run(service + rule.replace('timeout: 3s', 'timeout: soon'), '--node', node, '-o', 'json')
  assert.equal(code, 1)
  assert.match(err, /^-:23: error: VirtualService\/default\/books: spec\.http\[0\]\.timeout: /)
  assert.match(JSON.stringify((JSON.parse(out) as Dump).routes), /"resource":"Service\/default\/books"/)
})

test('a gateway gets the listeners of its Gateways only', async () => {
  const gateway = `${service}${rule.replace('hosts: [books]', 'hosts: [books.example]\n  gateways: [edge]')}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: edge }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [books.example] }]
`
  const router = file('router.json', JSON.stringify({ id: 'router~10.0.0.2~edge.default~default.svc.cluster.local', metadata: { LABELS: { istio: 'edge' } } }))
  const { code, out } = await run(gateway, '--node', router, '-o', 'json')
  assert.equal(code, 0)
  const dump = JSON.parse(out) as Dump
  assert.deepEqual([dump.listeners.map(({ name }) => name), dump.routes.map(({ name }) => name)], [['0.0.0.0_80'], ['http.80']])
})

test('a node file that is none is wrong usage, with what is wrong', async () => {
  const wrong = async (text: string): Promise<string> => {
    const { code, err } = await run(service, '--node', file('bad.json', text))
    assert.equal(code, 64)
    return err
  }
  assert.match(await wrong('{"id": "web"}'), /bad\.json: node id "web" is not TYPE~IP~NAME\.NAMESPACE~DOMAIN/)
  assert.match(await wrong('{id: 1}'), /bad\.json: is not JSON: /)
  assert.match(await wrong('[]'), /bad\.json: must hold an object such as/)
  assert.match(await wrong('{"metadata": {"LABELS": {"app": 1}, "NAMESPACE": 2}, "locality": 3}'), /id must be a text\n.*locality must be an object\n.*metadata\.NAMESPACE must be a text\n.*metadata\.LABELS must be an object of texts/)
  const missing = await run(service, '--node', join(folder, 'missing.json'))
  assert.deepEqual([missing.code, missing.err.split('\n')[0]], [64, `trysail: --node ${join(folder, 'missing.json')}: cannot be read: there is no such file or folder`])
  const none = await run(service)
  assert.deepEqual([none.code, none.err.split('\n')[0]], [64, 'trysail: --node NODE.json is needed'])
})
