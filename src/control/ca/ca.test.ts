import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import { describe, hasCode } from '../../lib/errors.ts'
import { exportKey, generateKey } from '../../security/x509/key.ts'
import { createRequest } from '../../security/x509/request.ts'
import { openCa } from './ca.ts'
import { createBootstrapTokens } from './tokens.ts'

const trustDomain = 'cluster.local'
const reviews = { trustDomain, namespace: 'default', serviceAccount: 'reviews' }
const hour = 3_600_000
const day = 24 * hour

async function modes(...path: string[]): Promise<string> {
  return ((await stat(join(...path))).mode & 0o777).toString(8)
}

function request(): string {
  return createRequest(generateKey(), 'spiffe://elsewhere/ns/a/sa/b')
}

test('the root is made on the first start and is the same after every restart', async () => {
  await using folder = await TempFolder.create()
  const stateDir = join(folder.path, 'not', 'there yet')
  const first = await openCa({ stateDir, trustDomain })
  const again = await openCa({ stateDir, trustDomain: 'another.test' })
  assert.equal(again.roots, first.roots)
  assert.equal(new X509Certificate(first.roots).subject, 'O=cluster.local')
  assert.deepEqual(await readdir(stateDir), ['ca'])
  assert.deepEqual([await modes(stateDir), await modes(stateDir, 'ca'), await modes(stateDir, 'ca', 'ca-key.pem')], ['700', '700', '600'])
})

test('of many first starts at a time one makes the root, and all use it', async () => {
  await using folder = await TempFolder.create()
  const all = await Promise.all(Array.from({ length: 12 }, () => openCa({ stateDir: folder.path, trustDomain })))
  assert.equal(new Set(all.map(({ roots }) => roots)).size, 1)
  assert.equal(await readFile(join(folder.path, 'ca', 'ca-cert.pem'), 'utf8'), all[0]!.roots)
  assert.deepEqual(await readdir(folder.path), ['ca'])
})

test('a root of our own that is near its end is made again, of the same key: each vouches for what the other signed', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  const clock = manualClock()
  const lines: string[] = []
  const open = () => openCa({ stateDir: folder.path, trustDomain, rootLifetimeMs: 100 * day, clock, log: (line) => void lines.push(line) })
  const ca = await open()
  const changed = new Promise<void>((resolve) => void ca.onChange(() => resolve()))
  const [old, oldLeaf] = [new X509Certificate(ca.roots), new X509Certificate(ca.sign(request(), reviews, 0).chain[0]!)]
  await clock.advance(79 * day)
  assert.equal(ca.roots, old.toString())
  await clock.advance(2 * day)
  await changed
  const fresh = new X509Certificate(ca.roots)
  const leaf = new X509Certificate(ca.sign(request(), reviews, 0).chain[0]!)
  assert.equal(fresh.subject, old.subject)
  assert.ok(fresh.publicKey.equals(old.publicKey))
  assert.ok(Date.parse(fresh.validTo) - clock.now() > 99 * day)
  for (const [signed, root] of [[oldLeaf, fresh], [leaf, old], [leaf, fresh]] as const) assert.ok(signed.checkIssued(root) && signed.verify(root.publicKey))
  assert.equal(lines.filter((line) => /the root was near its end and was made again, of the same key, good until /.test(line)).length, 1)
  ca.close()
  const again = await open()
  assert.equal(again.roots, fresh.toString())
  again.close()
  assert.deepEqual((await readdir(join(folder.path, 'ca'))).sort(), ['ca-cert.pem', 'ca-key.pem'])
})

interface Damage {
  readonly title: string
  readonly code: string
  readonly message: RegExp
  readonly damage: (ca: string) => Promise<void>
}

const damages: readonly Damage[] = [
  { title: 'a key that others can read', code: 'ca/state', message: /ca-key\.pem can be read by others \(mode 644\): chmod 600/, damage: (ca) => chmod(join(ca, 'ca-key.pem'), 0o644) },
  { title: 'a key of another certificate', code: 'ca/state', message: /the key does not belong/, damage: (ca) => writeFile(join(ca, 'ca-key.pem'), exportKey(generateKey())) },
  { title: 'a certificate that is no PEM', code: 'ca/state', message: /ca-cert\.pem and ca-key\.pem in .* cannot be used: not a PEM block/, damage: (ca) => writeFile(join(ca, 'ca-cert.pem'), 'hello') },
  { title: 'an empty key', code: 'ca/state', message: /not a private key/, damage: (ca) => writeFile(join(ca, 'ca-key.pem'), '') },
]
for (const { title, code, message, damage } of damages) {
  test(`${title} stops the CA with a clear message, and nothing is overwritten`, async () => {
    await using folder = await TempFolder.create()
    await openCa({ stateDir: folder.path, trustDomain })
    const ca = join(folder.path, 'ca')
    await damage(ca)
    const files = () => Promise.all(['ca-cert.pem', 'ca-key.pem'].map((name) => readFile(join(ca, name), 'utf8')))
    const before = await files()
    await assert.rejects(openCa({ stateDir: folder.path, trustDomain }), (error: unknown) => {
      assert.ok(hasCode(error, code))
      assert.match(describe(error), message)
      return true
    })
    assert.deepEqual(await files(), before)
  })
}

test('a folder without its files stops the CA, which does not fill it', async () => {
  await using folder = await TempFolder.create()
  await mkdir(join(folder.path, 'ca'))
  await writeFile(join(folder.path, 'ca', 'notes.txt'), 'mine')
  await assert.rejects(openCa({ stateDir: folder.path, trustDomain }), { code: 'ca/state', message: /cannot read .*ca-key\.pem: it is not there/ })
  assert.deepEqual(await readdir(join(folder.path, 'ca')), ['notes.txt'])
})

test('a state folder that cannot be one is named', async () => {
  await using folder = await TempFolder.create()
  await writeFile(join(folder.path, 'file'), '')
  await assert.rejects(openCa({ stateDir: '/proc/state/of/trysail', trustDomain }), { code: 'ca/state', message: /cannot make .proc.state.of.trysail.ca: no folder can be made in .proc.state.of/ })
  await assert.rejects(openCa({ stateDir: join(folder.path, 'file'), trustDomain }), { code: 'ca/state', message: /cannot make .*file.ca: there is a file where a folder should be/ })
})

test('an expired root stops the CA, and it signs nothing once its root is over', async () => {
  await using folder = await TempFolder.create()
  const clock = manualClock()
  const ca = await openCa({ stateDir: folder.path, trustDomain, rootLifetimeMs: day, clock })
  await clock.advance(day)
  const csr = request()
  assert.throws(() => ca.sign(csr, reviews, 0), { code: 'ca/expired' })
  await assert.rejects(openCa({ stateDir: folder.path, trustDomain, clock }), { code: 'ca/expired', message: /"O=cluster\.local" in .* expired on 20/ })
  await assert.rejects(openCa({ stateDir: folder.path, trustDomain, clock: manualClock(clock.now() - 30 * day) }), { code: 'ca/expired', message: /clock right/ })
})

const lifetimes = [
  { title: 'none asked for', askedMs: 0, gotMs: day }, { title: 'a negative one', askedMs: -5, gotMs: day }, { title: 'a short one', askedMs: 10_000, gotMs: 10_000 },
  { title: 'more than the usual', askedMs: 30 * day, gotMs: day },
]
for (const { title, askedMs, gotMs } of lifetimes) {
  test(`of lifetimes, ${title} gives ${gotMs / 1000} s`, async () => {
    await using folder = await TempFolder.create()
    const clock = manualClock(Math.floor(Date.now() / 1000) * 1000)
    const ca = await openCa({ stateDir: folder.path, trustDomain, clock })
    const { notAfter, chain, serial } = ca.sign(request(), reviews, askedMs)
    const certificate = new X509Certificate(chain[0]!)
    assert.equal(notAfter, clock.now() + gotMs)
    assert.equal(Date.parse(certificate.validTo), notAfter)
    assert.equal(Date.parse(certificate.validFrom), clock.now() - 120_000)
    assert.equal(certificate.serialNumber, serial)
    assert.equal(certificate.subjectAltName, 'URI:spiffe://cluster.local/ns/default/sa/reviews')
  })
}

test('more than 90 days is refused, and no certificate outlives the root', async () => {
  await using folder = await TempFolder.create()
  const ca = await openCa({ stateDir: folder.path, trustDomain, rootLifetimeMs: hour })
  const csr = request()
  assert.throws(() => ca.sign(csr, reviews, 91 * day), { code: 'ca/ttl', message: /7862400 s was asked for, at most 7776000 s/ })
  assert.ok(ca.sign(csr, reviews, day).notAfter <= Date.parse(new X509Certificate(ca.roots).validTo))
})

test("the control plane's certificate is renewed with a new key before half of its life, until it is closed", async () => {
  await using folder = await TempFolder.create()
  const clock = manualClock()
  const ca = await openCa({ stateDir: folder.path, trustDomain, clock })
  const server = ca.serverCertificate({ dnsNames: ['mesh.test'], addresses: ['10.0.0.1'] })
  const first = server.current()
  let changes = 0
  server.onChange(() => changes++)
  const certificate = new X509Certificate(first.chain)
  for (const name of ['mesh.test', 'istiod.istio-system.svc', 'localhost']) assert.equal(certificate.checkHost(name), name)
  for (const address of ['127.0.0.1', '10.0.0.1']) assert.equal(certificate.checkIP(address), address)
  await clock.advance(11 * hour)
  assert.deepEqual([changes, server.current() === first], [1, false])
  assert.notEqual(server.current().key, first.key)
  await clock.advance(11 * hour)
  assert.equal(changes, 2)
  server.close()
  await clock.advance(2 * day)
  assert.equal(changes, 2)
  assert.equal(clock.waiting, 0)
})

test('a token shows one identity until it expires, also to a control plane that was started later', async () => {
  await using folder = await TempFolder.create()
  const clock = manualClock()
  const tokens = await createBootstrapTokens({ stateDir: folder.path, clock })
  const token = tokens.create(reviews, hour)
  const later = await createBootstrapTokens({ stateDir: folder.path, clock })
  assert.deepEqual(later.verify(token), { identity: reviews })
  assert.equal(await modes(folder.path, 'tokens', 'secret'), '600')
  await clock.advance(hour + 1000)
  assert.deepEqual(later.verify(token), { refused: 'the token has expired' })
})

test('a token of another control plane, a changed one and any other text are refused', async () => {
  await using folder = await TempFolder.create()
  await using second = await TempFolder.create()
  const tokens = await createBootstrapTokens({ stateDir: folder.path })
  const foreign = (await createBootstrapTokens({ stateDir: second.path })).create(reviews, hour)
  const [head, body, signature] = tokens.create(reviews, hour).split('.')
  const changed = Buffer.from(Buffer.from(body!, 'base64url').toString().replace('sa/reviews', 'sa/ratings')).toString('base64url')
  const unsigned = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  for (const token of [foreign, `${head}.${changed}.${signature}`, `${unsigned}.${body}.`, `${head}.${body}.`, `${head}.${body}.${signature}.x`, 'x', '', '.'.repeat(5000)]) {
    assert.ok('refused' in tokens.verify(token), token)
  }
})
