// `trysail authz check`, and what explain and tests of routing say of AuthorizationPolicies.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { main } from '../../src/cli/main.ts'
import { captureIo } from '../support/capture-io.ts'

const mesh = `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: web }
spec: { serviceAccount: web, address: 10.0.0.1 }
---
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: other, namespace: shop }
spec: { serviceAccount: other, address: 10.0.0.2 }
---
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: api, labels: { app: api } }
spec: { serviceAccount: api, address: 10.0.0.3, ports: [{ name: http, containerPort: 8080 }, { name: tcp-db, containerPort: 5432 }] }
---
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { app: api }, ports: [{ name: http, port: 80, targetPort: 8080 }, { name: tcp-db, port: 5432 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec: { hosts: [api], http: [{ match: [{ uri: { prefix: /old } }], rewrite: { uri: /new }, route: [{ destination: { host: api, port: { number: 80 } } }] }, { route: [{ destination: { host: api, port: { number: 80 } } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: callers }
spec:
  selector: { matchLabels: { app: api } }
  rules:
  - from: [{ source: { principals: [cluster.local/ns/default/sa/web] } }]
    to: [{ operation: { methods: [GET], paths: [/new, /items] } }]
  - from: [{ source: { namespaces: [shop] } }]
    to: [{ operation: { ports: ["5432"] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: closed, namespace: istio-system }
spec: { action: DENY, rules: [{ to: [{ operation: { ports: ["8080"], paths: [/items] } }], when: [{ key: "request.headers[x-debug]", values: ["*"] }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: tried, annotations: { istio.io/dry-run: "true" } }
spec: { action: DENY, rules: [{}] }
`

async function run(args: readonly string[], text = mesh) {
  const io = captureIo(text)
  const code = await main([...args, '-f', '-'], io)
  return { code, out: io.out(), err: io.err() }
}

const request = (from: string, line: string, ...more: string[]) => run(['explain', '--from', from, '--request', line, '-o', 'json', ...more])

async function denied(from: string, line: string, ...more: string[]): Promise<unknown> {
  const { out } = await request(from, line, ...more)
  return (JSON.parse(out) as { denied: unknown }).denied
}

void test('explain names the policy that denies, its rule and the attribute that failed', async () => {
  assert.equal(await denied('default/web', 'GET http://api/items'), false)
  assert.equal(await denied('default/web', 'GET http://api/old'), false, 'as the route rewrites it')
  assert.deepEqual(await denied('default/web', 'POST http://api/items'), { policy: 'AuthorizationPolicy/default/callers', rule: 0, reason: 'no policy allows it; the nearest needs: method is "GET"; but it is "POST"' })
  assert.deepEqual(await denied('default/web', 'GET http://api/items', '--header', 'x-debug: 1'), {
    policy: 'AuthorizationPolicy/istio-system/closed', rule: 0, reason: 'its rule is met: path is "/items" and destination.port is 8080 and header x-debug is there',
  })
  const { policy, reason } = await denied('shop/other', 'GET http://api.default/items') as { policy: string; reason: string }
  assert.equal(policy, 'AuthorizationPolicy/default/callers')
  assert.match(reason, /source\.principal is "spiffe:\/\/cluster\.local\/ns\/default\/sa\/web"; but it is "spiffe:\/\/cluster\.local\/ns\/shop\/sa\/other"/)
  const { out } = await request('default/web', 'POST http://api/items')
  assert.equal((JSON.parse(out) as { status: number }).status, 403)
})

void test('of bytes only what connections have is asked', async () => {
  assert.equal(await denied('shop/other', 'TCP api.default:5432'), false)
  const { policy, rule } = await denied('default/web', 'TCP api:5432') as { policy: string; rule: number }
  assert.deepEqual({ policy, rule }, { policy: 'AuthorizationPolicy/default/callers', rule: 1 })
})

void test('tests of routing can expect a denial', async () => {
  const { code, out } = await run(['test'], `${mesh}
---
apiVersion: trysail.dev/v1
kind: RouteTest
metadata: { name: callers }
spec:
  defaults: { from: web }
  tests:
  - { name: may read, request: { url: "http://api/items" }, expect: { destination: { host: api }, denied: false } }
  - { name: may not write, request: { url: "http://api/items", method: POST }, expect: { denied: true, deniedBy: AuthorizationPolicy/default/callers, status: 403 } }
`)
  assert.equal(code, 0, out)
})

void test('authz check lists the policies in the order in which they decide, and what each says of a request', async () => {
  const list = await run(['authz', 'check', 'default/api'])
  assert.equal(list.code, 0, list.err)
  assert.deepEqual(list.out.split('\n').slice(1, 4).map((line) => line.split(/ {2,}/).slice(0, 3)), [['DENY', 'istio-system/closed', '1'], ['DENY (dry run)', 'default/tried', '1'], ['ALLOW', 'default/callers', '2']])
  const allowed = await run(['authz', 'check', 'default/api', '--from', 'default/web', '--request', 'GET http://api:8080/items', '-o', 'json'])
  assert.equal(allowed.code, 0)
  const answer = JSON.parse(allowed.out) as { request: { allowed: boolean; verdicts: { policy: string; rule: number; matches: boolean; dryRun: boolean }[] } }
  assert.equal(answer.request.allowed, true)
  assert.deepEqual(answer.request.verdicts.map(({ policy, rule, matches, dryRun }) => [policy.replace('AuthorizationPolicy/', ''), rule, matches, dryRun]), [
    ['istio-system/closed', 0, false, false], ['default/tried', 0, true, true], ['default/callers', 0, true, false], ['default/callers', 1, false, false],
  ])
  const plain = await run(['authz', 'check', 'default/api', '--request', 'GET http://api:8080/items'])
  assert.equal(plain.code, 1)
  assert.match(plain.out, /a client without a certificate, to port 8080: denied by AuthorizationPolicy default\/callers rule 0: .*the client showed no certificate/)
})

void test('authz check says what is missing', async () => {
  assert.equal((await run(['authz', 'check', 'default/nobody'])).code, 64)
  assert.match((await run(['authz', 'check', 'default/api', '--from', 'default/web'])).err, /--header and --from are of a request/)
  assert.match((await run(['authz', 'check', 'default/web'])).out, /default\/tried/)
})
