// `trysail authz check`, and what explain and tests of routing say of AuthorizationPolicies.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { main } from '../../src/cli/main.ts'
import { captureIo } from '../support/capture-io.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { createSigner, keySetOf } from '../support/tokens.ts'

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
  assert.match((await run(['authz', 'check', 'default/api', '--from', 'default/web'])).err, /--header, --from and --token are of a request/)
  assert.match((await run(['authz', 'check', 'default/web'])).out, /default\/tried/)
})

const signer = createSigner('one', 'ES256')
const now = Math.floor(Date.now() / 1000)
const tokenOf = (claims: object, of = signer): string => of.token({ iss: 'https://issuer.example', sub: 'anna', exp: now + 3600, ...claims })
const withTokens = (rule: object): string => `${mesh}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: ${JSON.stringify({ selector: { matchLabels: { app: 'api' } }, jwtRules: [{ issuer: 'https://issuer.example', audiences: ['api'], ...rule }] })}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: users }
spec: { selector: { matchLabels: { app: api } }, rules: [{ from: [{ source: { requestPrincipals: ["https://issuer.example/*"] } }], to: [{ operation: { paths: [/users] } }], when: [{ key: "request.auth.claims[groups]", values: [staff] }] }] }
`

void test('authz check verifies tokens, and says what a policy sees in them or why they do not do', async () => {
  const check = async (token: string, text = withTokens({ jwks: keySetOf(signer) }), ...more: string[]) => {
    const { out, err } = await run(['authz', 'check', 'default/api', '--from', 'default/web', '--request', 'GET http://api:8080/users', '--token', token, ...more], text)
    assert.ok(!`${out}${err}`.includes(token.split('.')[2]!), 'the token itself is never shown')
    return `${out}${err}`
  }
  assert.match(await check(tokenOf({ aud: 'api', groups: ['x', 'staff'] })), /to port 8080: allowed\n  its token: issuer "https:\/\/issuer.example", subject "anna", for "api", signed by key "one" \(ES256\), good until /)
  assert.match(await check(tokenOf({ aud: 'api', groups: 'guest' })), /denied by AuthorizationPolicy [^]*does not match  ALLOW default\/users rule 0: needs: request\.auth\.claims\[groups\] .*guest/)
  assert.match(await check(tokenOf({ aud: 'other' })), /denied by RequestAuthentication: Audiences in Jwt are not allowed; the token: .*for "other"/)
  assert.match(await check(tokenOf({ aud: 'api', exp: now - 3600 })), /denied by RequestAuthentication: Jwt is expired; the token: .*over since /)
  assert.match(await check(tokenOf({ aud: 'api' }, createSigner('one', 'ES256'))), /denied by RequestAuthentication: Jwt verification fails/)
  assert.match(await check(tokenOf({ aud: 'api' }, createSigner('two', 'ES256'))), /Jwks doesn't have key to match kid or alg from Jwt; the token: .*signed by key "two" \(ES256\)/)
  assert.match(await check(tokenOf({ iss: 'b' })), /Jwt issuer is not configured; the token: issuer "b"/)
  assert.match(await check('nonsense.of.mine'), /denied by RequestAuthentication: Jwt header is an invalid/)
  await using folder = await TempFolder.create()
  await folder.write('keys.json', keySetOf(signer))
  const fetched = withTokens({})
  const good = tokenOf({ aud: 'api', groups: 'staff' })
  assert.match(await check(good, fetched), /note: the keys of issuer "https:\/\/issuer.example" are fetched by the control plane, not here: give them with --jwks FILE/)
  assert.match(await check(good, fetched, '--jwks', folder.at('keys.json')), /to port 8080: allowed/)
  assert.match(await check(good, fetched, '--jwks', folder.at('none.json')), /none\.json cannot be read/)
})

void test('explain verifies tokens at the destination, and at the gateway that a request comes to', async () => {
  const text = withTokens({ jwks: keySetOf(signer) })
  const ask = async (token: string): Promise<{ denied: unknown; status: number }> =>
    JSON.parse((await run(['explain', '--from', 'default/web', '--request', 'GET http://api/users', '-o', 'json', '--token', token], text)).out) as { denied: unknown; status: number }
  assert.equal((await ask(tokenOf({ aud: 'api', groups: 'staff' }))).denied, false)
  const over = await ask(tokenOf({ aud: 'api', exp: 1 }))
  assert.equal(over.status, 401)
  assert.match(JSON.stringify(over.denied), /Jwt is expired/)
  const edge = `${mesh}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec: { hosts: ["*"], gateways: [edge], http: [{ name: staff, match: [{ headers: { "@request.auth.claims.groups": { exact: staff } } }], directResponse: { status: 201 } }, { name: rest, directResponse: { status: 202 } }] }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens, namespace: istio-system }
spec: ${JSON.stringify({ jwtRules: [{ issuer: 'https://issuer.example', jwks: keySetOf(signer) }] })}
`
  const atGateway = async (token: string): Promise<number> => (JSON.parse((await run(['explain', '--from', 'default/edge', '--request', 'GET http://a.example/', '-o', 'json', '--token', token], edge)).out) as { status: number }).status
  assert.deepEqual([await atGateway(tokenOf({ groups: 'staff' })), await atGateway(tokenOf({})), await atGateway(tokenOf({ aud: 'x', exp: 1 }))], [201, 202, 401])
})
