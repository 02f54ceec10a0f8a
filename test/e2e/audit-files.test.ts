// Audit logs of the processes: where they are, whose they are, that they are opened anew, and that nobody runs without the one
// that was asked for.
import assert from 'node:assert/strict'
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { request } from '../support/http-load.ts'
import { jsonLines } from '../support/json-lines.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { TrysailProcess, trysail } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

type Event = Readonly<Record<string, unknown>>

function eventsIn(path: string): Event[] {
  try {
    return jsonLines(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

const has = (path: string, wanted: Partial<Event>): boolean => eventsIn(path).some((one) => Object.entries(wanted).every(([name, value]) => one[name] === value))

test('control keeps its audit log in the state folder, a proxy where it is told to; SIGUSR1 opens both anew', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  const control = await mesh.startControl()
  await mesh.rootsFile()
  const controlLog = join(mesh.folder, '.trysail', 'audit.log')
  const proxyLog = join(mesh.folder, 'reviews-audit.log')
  const reviews = await mesh.startReviews(app.at, { flags: ['--audit-log', proxyLog] })
  await reviews.saying(/info +serves/)
  const [, admin = ''] = await reviews.saying(/admin on (http:\/\/\S+)/)
  await until(() => has(controlLog, { event: 'certificate-issued' }) && has(controlLog, { event: 'proxy-joined' }), 'the join')
  await fetch(`${admin}/healthcheck/ok`, { method: 'POST' })
  await until(() => has(proxyLog, { event: 'admin-action', action: 'POST /healthcheck/ok' }), 'the action')
  assert.match(await (await fetch(`${admin}/stats?filter=audit`)).text(), /^audit\.written: \d+\naudit\.lost: 0\n$/)
  assert.deepEqual([controlLog, proxyLog].map((path) => statSync(path).mode & 0o777), [0o600, 0o600])

  for (const path of [controlLog, proxyLog]) renameSync(path, `${path}.moved`)
  control.signal('SIGUSR1')
  reviews.signal('SIGUSR1')
  const productpage = await mesh.startProductpage()
  await until(async () => (await request(productpage.url)).status === 200, 'an answer')
  await until(() => has(controlLog, { event: 'proxy-joined' }), 'a join in the new file')
  await fetch(`${admin}/healthcheck/ok`, { method: 'POST' })
  await until(() => has(proxyLog, { event: 'admin-action' }), 'an action in the new file')
  assert.doesNotMatch(control.output + reviews.output, /Debugger|inspector/i)
})

const closing = (socket: Socket): Disposable => ({ [Symbol.dispose]: () => void socket.destroy() })

test('who does not get past TLS at the control plane is written down', { timeout: 60_000 }, async () => {
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  const [host = '', port = ''] = mesh.addresses.xds.split(':')
  const { chain, key } = createAuthority('stranger').issue('URI:spiffe://cluster.local/ns/default/sa/reviews')
  using stranger = closing(connectTls({ host, port: Number(port), cert: chain, key, rejectUnauthorized: false, ALPNProtocols: ['h2'] }).on('error', () => {}).resume())
  assert.ok(stranger)
  const log = join(mesh.folder, '.trysail', 'audit.log')
  await until(() => has(log, { event: 'proxy-refused', node: '' }), 'the refusal')
  assert.match(String(eventsIn(log).find(({ event }) => event === 'proxy-refused')!['reason']), /certificate is not to be trusted/)
})

test('an audit log that cannot be opened stops the start, and the message says what to do; none turns it off', { timeout: 60_000 }, async () => {
  await using mesh = await ProcessMesh.create()
  const { code, output } = await trysail(['control', '-f', 'mesh', '--audit-log', 'mesh/mesh.yaml/audit.log', '--xds-port', '0', '--plaintext-port', '0', '--debug-port', '0'], mesh.options)
  assert.equal(code, 1)
  assert.match(output, /trysail control: .*mesh\.yaml.*; --audit-log names another file, or none/)
  await using without = new TrysailProcess(['control', '-f', 'mesh', '--audit-log', 'none', '--xds-port', '0', '--plaintext-port', '0', '--debug-port', '0'], mesh.options)
  await without.saying(/debug pages/)
  assert.deepEqual(eventsIn(join(mesh.folder, '.trysail', 'audit.log')), [])
})

test('what threads of one proxy refuse is in one log, and in one list of clients', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  await mesh.rootsFile()
  const log = join(mesh.folder, 'reviews-audit.log')
  const reviews = await mesh.startReviews(app.at, { flags: ['--audit-log', log, '--concurrency', '2'] })
  await reviews.saying(/info +serves/)
  const [, admin = ''] = await reviews.saying(/admin on (http:\/\/\S+)/)
  const connections = 16
  for (let i = 0; i < connections; i++) await assert.rejects(request(`http://${mesh.net}.2:9080/`))
  await until(() => eventsIn(log).filter(({ event }) => event === 'handshake-refused').length === connections, 'every refusal')
  const { plaintext } = (await (await fetch(`${admin}/inbound_peers`)).json()) as { readonly plaintext: readonly { readonly refused: number }[] }
  assert.deepEqual(plaintext.map(({ refused }) => refused), [connections])
  const numbers = eventsIn(log).map(({ number }) => number)
  assert.deepEqual(numbers, numbers.map((_, i) => i + 1))
})
