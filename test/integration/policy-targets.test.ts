// Policies that name a Gateway of the Gateway API (security spec 2.6): they hold at its proxies, in its namespace, and nowhere
// else; what waypoints would enforce, and what nobody serves, is said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import { createSigner, keySetOf } from '../support/tokens.ts'

const label = 'gateway.networking.k8s.io/gateway-name'
const gateway = (name: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name} }
spec: { selector: { ${label}: ${name} }, servers: [{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: ["*"] }] }
---`
const routes = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all }
spec: { hosts: ["*"], gateways: [edge, other], http: [{ route: [{ destination: { host: web } }] }] }
---`
const policy = (kind: string, name: string, namespace: string, target: object, spec: object): string => `
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${JSON.stringify({ targetRefs: [target], ...spec })}
---`

const edge = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }
const denyAdmin = { action: 'DENY', rules: [{ to: [{ operation: { paths: ['/admin'] } }] }] }
const denyAll = { action: 'DENY', rules: [{}] }

test('a policy for a Gateway holds at its proxies alone', { timeout: 60_000 }, async () => {
  const signer = createSigner('one', 'ES256')
  await using world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') + gateway('edge', 80) + gateway('other', 8080) + routes }, { watch: true })
  const statuses = async (): Promise<readonly number[]> => {
    const found: number[] = []
    for (const port of [80, 8080]) {
      for (const path of ['/', '/admin']) found.push((await world.get(path, { port, headers: { connection: 'close' } })).status)
      found.push((await world.get('/', { port, headers: { connection: 'close', authorization: 'Bearer nonsense' } })).status)
    }
    return found
  }
  assert.deepEqual(await statuses(), [200, 200, 200, 200, 200, 200])
  await world.edit(() => world.folder.write('mesh/policy.yaml', policy('AuthorizationPolicy', 'deny', 'istio-system', edge, denyAdmin)
    + policy('RequestAuthentication', 'tokens', 'istio-system', edge, { jwtRules: [{ issuer: 'a', jwks: keySetOf(signer) }] })))
  assert.deepEqual(await statuses(), [200, 403, 401, 200, 200, 200])
})

test('a policy for a Gateway of another namespace, or for what a waypoint would enforce, holds nowhere, and that is said', { timeout: 60_000 }, async () => {
  const policies = policy('AuthorizationPolicy', 'elsewhere', 'default', edge, denyAll) + policy('AuthorizationPolicy', 'service', 'default', { kind: 'Service', name: 'web' }, denyAll)
  await using world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') + gateway('edge', 80) + routes.replace('edge, other', 'edge') + policies })
  assert.equal((await world.get('/')).status, 200)
  await world.untilSaid(/AuthorizationPolicy\/default\/elsewhere: spec\.targetRefs\[0\]\.name: no gateway with the label gateway\.networking\.k8s\.io\/gateway-name: edge is known in namespace default: nothing is enforced/)
  await world.untilSaid(/AuthorizationPolicy\/default\/service: spec\.targetRefs\[0\]\.kind: .*that is enforced by waypoints/)
})
