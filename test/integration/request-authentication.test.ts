// RequestAuthentication in a whole mesh with issuers on real sockets: from the edit of a file to the answer that a client
// gets, with issuers that are away, come back, and change their keys.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../support/hosts.ts'
import { echo, edgeGateway, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { TokenIssuer } from '../support/token-issuer.ts'
import { createSigner, keySetOf } from '../support/tokens.ts'
import type { Signer } from '../support/tokens.ts'

const mesh = (): Promise<LocalMesh> => startLocalMesh({ 'web.yaml': echo('web') + service('web'), 'gateway.yaml': gatewayTo('web') }, { watch: true })

const policy = (name: string, namespace: string, selector: string, rules: readonly object[]): string => `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${JSON.stringify({ selector: { matchLabels: { [selector.split('=')[0]!]: selector.split('=')[1]! } }, jwtRules: rules })}
---`

const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600
const tokenOf = (signer: Signer, issuer: string, more: object = {}): string => signer.token({ iss: issuer, sub: 'me', exp: inAnHour(), ...more })
/** Each on a connection of its own: one that is open may still end under the configuration that it began with. */
const statuses = async (world: LocalMesh, ...tokens: readonly (string | undefined)[]): Promise<number[]> => {
  const found: number[] = []
  for (const token of tokens) found.push((await world.get('/', { headers: { connection: 'close', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) } })).status)
  return found
}

test('a policy takes effect with its keys: no good token is refused, at the gateway and at the workload', { timeout: 60_000 }, async () => {
  const signer = createSigner('one')
  await using issuer = await TokenIssuer.start(keySetOf(signer))
  await using world = await mesh()
  const good = tokenOf(signer, issuer.issuer, { role: 'admin' })
  const forged = tokenOf(createSigner('one'), issuer.issuer)
  assert.deepEqual(await statuses(world, undefined, good, forged), [200, 200, 200])
  await world.edit(() => world.folder.write('mesh/policy.yaml', policy('edge', 'istio-system', 'istio=ingressgateway', [
    { issuer: issuer.issuer, forwardOriginalToken: true, outputClaimToHeaders: [{ header: 'x-role', claim: 'role' }] },
  ])))
  assert.deepEqual(await statuses(world, undefined, good, forged, 'nonsense'), [200, 200, 401, 401])
  await world.edit(() => world.folder.write('mesh/policy-web.yaml', policy('web', 'default', 'app=web', [{ issuer: issuer.issuer, jwksUri: issuer.keysUrl, audiences: ['web'] }])))
  assert.deepEqual(await statuses(world, undefined, good, tokenOf(signer, issuer.issuer, { aud: 'web' })), [200, 403, 200])
})

test('an issuer that is away refuses its own tokens only, until it is there', { timeout: 60_000 }, async () => {
  const [well, late] = [createSigner('well', 'ES256'), createSigner('late', 'ES256')]
  await using wellIssuer = await TokenIssuer.start(keySetOf(well))
  const port = await freePort()
  const lateName = `http://localhost:${port}`
  await using world = await mesh()
  await world.edit(() => world.folder.write('mesh/policy.yaml', policy('edge', 'istio-system', 'istio=ingressgateway', [{ issuer: wellIssuer.issuer }, { issuer: lateName }])))
  const [wellToken, lateToken] = [tokenOf(well, wellIssuer.issuer), tokenOf(late, lateName)]
  assert.deepEqual(await statuses(world, undefined, wellToken, lateToken), [200, 200, 401])
  await world.untilSaid(/keys of discover http:\/\/localhost:\d+ cannot be fetched, its tokens are refused/)
  await using lateIssuer = await TokenIssuer.start(keySetOf(late), { port })
  await world.until('the token is taken', async () => (await statuses(world, lateToken))[0] === 200)
  assert.ok(lateIssuer.asked.length > 0)
  assert.deepEqual(await statuses(world, undefined, wellToken), [200, 200])
})

test('claims choose the route at a gateway, for requests on one connection too', { timeout: 60_000 }, async () => {
  const signer = createSigner('one', 'EdDSA')
  await using issuer = await TokenIssuer.start(keySetOf(signer))
  const routes = `${edgeGateway}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
    - { match: [{ headers: { "@request.auth.claims.groups": { exact: staff } } }], directResponse: { status: 201 } }
    - { match: [{ withoutHeaders: { "@request.auth.claims[sub]": {} } }], directResponse: { status: 202 } }
    - { directResponse: { status: 203 } }
---`
  await using world = await startLocalMesh({ 'web.yaml': echo('web') + service('web'), 'routes.yaml': routes, 'policy.yaml': policy('edge', 'istio-system', 'istio=ingressgateway', [{ issuer: issuer.issuer }]) })
  const staff = tokenOf(signer, issuer.issuer, { groups: ['x', 'staff'] })
  const guest = tokenOf(signer, issuer.issuer, { groups: 'guest' })
  assert.deepEqual(await statuses(world, staff, undefined, guest, staff, guest, undefined, 'nonsense'), [201, 202, 203, 201, 203, 202, 401])
})

test('when a policy goes, its tokens are nobody’s business any more', { timeout: 60_000 }, async () => {
  const signer = createSigner('one', 'ES256')
  await using world = await mesh()
  const text = policy('edge', 'istio-system', 'istio=ingressgateway', [{ issuer: 'a', jwks: keySetOf(signer) }])
  await world.edit(() => world.folder.write('mesh/policy.yaml', text))
  assert.deepEqual(await statuses(world, 'nonsense'), [401])
  await world.edit(() => world.folder.write('mesh/policy.yaml', ''))
  assert.deepEqual(await statuses(world, 'nonsense'), [200])
})

test('an issuer changes its keys without a word: the first token of the new key is taken, and made-up keys cost it nothing', { timeout: 60_000 }, async () => {
  const [old, fresh] = [createSigner('old', 'ES256'), createSigner('fresh', 'ES256')]
  await using issuer = await TokenIssuer.start(keySetOf(old))
  await using other = await TokenIssuer.start(keySetOf(old))
  await using world = await mesh()
  const edge = policy('edge', 'istio-system', 'istio=ingressgateway', [{ issuer: issuer.issuer }, { issuer: other.issuer, jwksUri: other.keysUrl }])
  await world.edit(() => world.folder.write('mesh/policy.yaml', edge))
  assert.deepEqual(await statuses(world, tokenOf(old, issuer.issuer), tokenOf(fresh, other.issuer)), [200, 401])
  issuer.keys = keySetOf(fresh)
  // The first one waits for the key, for two seconds: a machine that is busier than that takes the next one.
  await world.until('the new key is taken', async () => (await statuses(world, tokenOf(fresh, issuer.issuer)))[0] === 200)
  assert.deepEqual(await statuses(world, tokenOf(old, issuer.issuer)), [401])
  const asked = issuer.asked.length
  const forged = await Promise.all(Array.from({ length: 50 }, (_, i) => statuses(world, tokenOf(createSigner(`made-up-${i}`, 'ES256'), issuer.issuer))))
  assert.ok(forged.flat().every((status) => status === 401))
  assert.ok(issuer.asked.length - asked <= 2, 'the keys and where they are: once')
  assert.deepEqual(await statuses(world, tokenOf(old, other.issuer), tokenOf(fresh, issuer.issuer)), [200, 200])
})

test('a token where its rule does not look is none: it is not checked, and goes on as it came', { timeout: 60_000 }, async () => {
  const signer = createSigner('one', 'ES256')
  await using world = await mesh()
  await world.edit(() => world.folder.write('mesh/policy.yaml', policy('web', 'default', 'app=web', [{ issuer: 'a', jwks: keySetOf(signer), fromHeaders: [{ name: 'x-jwt' }] }])))
  const headersOf = async (headers: Record<string, string>) => (await world.json('/', { headers: { ...headers, connection: 'close' } }))['headers'] as Record<string, string | undefined>
  assert.equal((await headersOf({ authorization: 'Bearer nonsense' }))['authorization'], 'Bearer nonsense')
  const good = await headersOf({ authorization: 'Basic eA==', 'x-jwt': tokenOf(signer, 'a') })
  assert.deepEqual([good['authorization'], good['x-jwt']], ['Basic eA==', undefined])
  assert.equal((await world.get('/', { headers: { 'x-jwt': 'nonsense' } })).status, 401)
})
