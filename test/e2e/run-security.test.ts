// The mesh on this machine as its operator sees its security: who would break under STRICT, and what the audit log says of
// joins, certificates, changes and refusals.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { after, test } from 'node:test'
import { main } from '../../src/cli/main.ts'
import { findRunning } from '../../src/cli/running.ts'
import { captureIo } from '../support/capture-io.ts'
import { jsonLines } from '../support/json-lines.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

// What this mesh announces is found, and no other.
const runtime = await TempFolder.create()
process.env['XDG_RUNTIME_DIR'] = runtime.path
after(() => runtime[Symbol.asyncDispose]())

const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
`
const mesh = { 'mesh.yaml': echo('web') + service('web') + echo('back') + service('back'), 'gateway.yaml': gatewayTo('web') }

interface Event extends Readonly<Record<string, unknown>> {
  readonly event: string
  readonly source: string
}

const eventsOf = (world: LocalMesh): Event[] => jsonLines(world.folder.at('state/audit.log'))

const until = (world: LocalMesh, what: string, found: (event: Event) => boolean): Promise<void> => world.until(what, () => eventsOf(world).some(found))

/** A client outside the mesh that knows where the sidecar of `name` listens. */
function plainly(world: LocalMesh, name: string): Promise<number> {
  const at = world.mesh.processes.find((one) => one.name === name)!.inbound[0]!
  return new Promise((resolve) => {
    request({ host: '127.0.0.1', port: at.split(':')[1], agent: new Agent(), headers: { 'user-agent': 'old-cron/1' } }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    }).on('error', () => resolve(0)).end()
  })
}

async function readiness(...args: string[]) {
  const io = captureIo()
  const code = await main(['authn', 'readiness', ...args], io)
  return { code, out: io.out(), err: io.err() }
}

interface Report {
  readonly ready: boolean
  readonly workloads: readonly { readonly workload: string; readonly readiness: string; readonly mutual: number; readonly clients: readonly { readonly port: number; readonly connections: number; readonly refused: number; readonly says: readonly string[] }[] }[]
}

const reported = async (): Promise<Report> => JSON.parse((await readiness('-o', 'json')).out) as Report

test('before STRICT, the one client without a certificate is named; after it, it alone is turned away', async () => {
  await using world = await startLocalMesh(mesh, { watch: true })
  assert.equal((await world.json('/via?service=BACK'))['status'], 200)
  const calm = await readiness()
  assert.equal(calm.code, 0, calm.err)
  assert.match(calm.out, /^WORKLOAD +STRICT +WITH CERTIFICATE +WITHOUT +COUNTED SINCE\n/)
  assert.match(calm.out, /web\.default +ready +[1-9]/)
  assert.match(calm.out, /back\.default +ready +[1-9]/)
  assert.doesNotMatch(calm.out, /edge|ingress/, 'PeerAuthentication does not hold for gateways')

  assert.equal(await plainly(world, 'back'), 200)
  const warned = await readiness()
  assert.equal(warned.code, 1)
  assert.match(warned.out, /back\.default +NOT READY/)
  assert.match(warned.out, /back\.default: STRICT would turn away\n {2}127\.0\.0\.1 on port 9080: 1 connections, the last at \S+; calls itself user-agent old-cron\/1\n/)
  assert.match(warned.out, /web\.default +ready/)
  assert.equal((await readiness('web')).code, 0)

  await world.edit(() => world.folder.write('mesh/strict.yaml', strict))
  assert.equal(await plainly(world, 'back'), 0)
  assert.equal((await world.json('/via?service=BACK'))['status'], 200)
  const { workloads } = await reported()
  const [client] = workloads.find(({ workload }) => workload === 'back.default')!.clients
  assert.deepEqual([client!.connections, client!.refused], [1, 1])
})

test('nobody has come yet: nothing is known; a proxy that does not answer is not ready', async () => {
  await using world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') })
  const quiet = await readiness()
  assert.equal(quiet.code, 0, quiet.err)
  assert.match(quiet.out, /web\.default +no traffic seen +0 +0/)
  const gone = await readiness('--proxy', '127.0.0.1:1')
  assert.equal(gone.code, 1)
  assert.match(gone.out, /127\.0\.0\.1:1 +NO ANSWER/)
  assert.match((await readiness('nobody')).err, /no proxy of nobody is known/)
  assert.equal(world.mesh.processes.length, 1)
})

test('the audit log says who joined, who got which certificate and what changed, and only its owner can read it', async () => {
  await using world = await startLocalMesh(mesh, { watch: true })
  const web = 'spiffe://cluster.local/ns/default/sa/default'
  await until(world, 'a certificate for web', ({ event, identity }) => event === 'certificate-issued' && identity === web)
  const events = eventsOf(world)
  const issued = events.find(({ event }) => event === 'certificate-issued')!
  assert.match(String(issued['proof']), /token/)
  assert.match(String(issued['serial']), /^[0-9a-f]+$/i)
  assert.ok(Date.parse(String(issued['notAfter'])) > Date.now())
  assert.ok(events.some(({ event, node, client }) => event === 'proxy-joined' && String(node).includes('~web.default~') && (client as { identity: string }).identity === web))
  const added = events.filter(({ event }) => event === 'config-added')
  for (const kind of ['Gateway', 'Process', 'Service', 'VirtualService']) assert.ok(added.some((one) => one['kind'] === kind), kind)
  assert.match(String(added[0]!['origin']), /mesh\.yaml:\d+$|gateway\.yaml:\d+$/)
  assert.deepEqual(events.map(({ number }) => number), events.map((_, i) => i + 1))

  await world.edit(() => world.folder.write('mesh/strict.yaml', strict))
  await until(world, 'the policy', ({ event, kind, name }) => event === 'config-added' && kind === 'PeerAuthentication' && name === 'default')
  await world.edit(() => world.folder.write('mesh/strict.yaml', strict.replace('STRICT', 'PERMISSIVE')))
  await until(world, 'the change', ({ event, kind }) => event === 'config-changed' && kind === 'PeerAuthentication')
  await world.edit(() => world.folder.remove('mesh/strict.yaml'))
  await until(world, 'the removal', ({ event, kind }) => event === 'config-removed' && kind === 'PeerAuthentication')
  assert.equal(statSync(world.folder.at('state/audit.log')).mode & 0o777, 0o600)
  const { port } = world.mesh.control.debug
  assert.match(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), /\ntrysail_audit_events \d+\n# TYPE trysail_audit_events_lost counter\ntrysail_audit_events_lost 0\n/)
  assert.equal(statSync(world.folder.at('state')).mode & 0o777, 0o700)
})

test('the audit log says which plaintext was refused, and what was asked of an admin server; it holds no key and no token', async () => {
  await using world = await startLocalMesh({ ...mesh, 'strict.yaml': strict })
  assert.equal(await plainly(world, 'back'), 0)
  await until(world, 'the refusal', ({ event, source, reason, client }) =>
    event === 'handshake-refused' && source === 'back.default' && reason === 'filter_chain_not_found' && (client as { identity: string }).identity === '')
  const { admin } = findRunning().flatMap(({ proxies }) => proxies).find(({ name }) => name === 'back')!
  await fetch(`http://127.0.0.1:${admin.port}/reopen_logs`, { method: 'POST' })
  await until(world, 'the action', ({ event, action, source }) => event === 'admin-action' && action === 'POST /reopen_logs' && source === 'back.default')
  const text = readFileSync(world.folder.at('state/audit.log'), 'utf8')
  assert.doesNotMatch(text, /PRIVATE KEY|BEGIN |eyJ[A-Za-z0-9_-]{10}|[Bb]earer/)
})

const policies = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin }
spec: { selector: { matchLabels: { app: web } }, action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: watched }
spec: { selector: { matchLabels: { app: web } }, action: AUDIT, rules: [{ to: [{ operation: { paths: [/env] } }] }] }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: { selector: { matchLabels: { app: web } }, jwtRules: [{ issuer: https://issuer.example, jwks: '${JSON.stringify({ keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), kid: 'one' }] })}' }] }
`

test('the audit log says which policy refused a request and who sent it, what an AUDIT policy marked, and never the token', async () => {
  await using world = await startLocalMesh({ ...mesh, 'policies.yaml': policies })
  const identityOf = ({ client }: Event): string => (client as { identity: string }).identity
  assert.equal((await world.get('/admin?key=s3cret')).status, 403)
  await until(world, 'the denial', ({ event, policy }) => event === 'request-denied' && policy === 'ns[default]-policy[no-admin]-rule[0]')
  const denied = eventsOf(world).find(({ event }) => event === 'request-denied')!
  assert.deepEqual([denied.source, denied['method'], denied['path'], denied['status']], ['web.default', 'GET', '/admin', 403])
  assert.match(String(denied['detail']), /path|admin/)
  assert.match(identityOf(denied), /^spiffe:\/\/cluster\.local\/ns\/istio-system\/sa\//)

  assert.equal((await world.get('/env')).status, 200)
  await until(world, 'the marked request', ({ event, path, status, policy }) => event === 'request-audited' && path === '/env' && status === 200 && policy === 'ns[default]-policy[watched]-rule[0]')

  const token = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"iss":"https://issuer.example"}').toString('base64url')}.c2lnbmVk`
  assert.equal((await world.get('/', { headers: { authorization: `Bearer ${token}` } })).status, 401)
  await until(world, 'the refused token', ({ event, status, reason }) => event === 'request-denied' && status === 401 && String(reason).startsWith('jwt_authn_access_denied'))
  assert.doesNotMatch(readFileSync(world.folder.at('state/audit.log'), 'utf8'), /s3cret|eyJ|c2lnbmVk/)
})

test('the audit log says which policy refused a connection of bytes, and which one marked it', async () => {
  const deny = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nobody }
spec: { selector: { matchLabels: { app: back } }, action: DENY, rules: [{ to: [{ operation: { ports: ["9080"] } }] }] }
`
  const watch = deny.replace('nobody', 'watched').replace('DENY', 'AUDIT')
  await using world = await startLocalMesh({ 'mesh.yaml': echo('back') + service('back', 'default', '{ name: tcp, port: 80, targetPort: 9080 }'), 'deny.yaml': watch }, { watch: true })
  assert.equal(await plainly(world, 'back'), 200)
  await until(world, 'the marked connection', ({ event, policy, source }) => event === 'connection-audited' && source === 'back.default' && policy === 'ns[default]-policy[watched]-rule[0]')
  await world.edit(() => world.folder.write('mesh/deny.yaml', deny))
  assert.equal(await plainly(world, 'back'), 0)
  await until(world, 'the denial', ({ event, policy, source }) => event === 'connection-denied' && source === 'back.default' && policy === 'ns[default]-policy[nobody]-rule[0]')
})
