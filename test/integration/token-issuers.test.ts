// Keys of issuers that are really asked: found, refreshed, kept on disk, and every way in which an issuer can be of no use,
// alone and beside issuers that are well.
import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { fetchKeys, keySource } from '../../src/control/jwks/key-fetch.ts'
import { KeyFiles } from '../../src/control/jwks/key-files.ts'
import { KeyStore } from '../../src/control/jwks/key-store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { describe } from '../../src/lib/errors.ts'
import { createAuthority } from '../support/certificates.ts'
import { freePort } from '../support/hosts.ts'
import { manualClock } from '../support/manual-clock.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { TokenIssuer } from '../support/token-issuer.ts'
import { createSigner, keySetOf } from '../support/tokens.ts'

const first = keySetOf(createSigner('first', 'ES256'))
const second = keySetOf(createSigner('second', 'ES256'))

/** Waits for what the store says or changes, never for time. */
function opened(folder: TempFolder, clock: Clock = systemClock, refreshMs = 1_200_000) {
  const lines: string[] = []
  const waiting: (() => void)[] = []
  const wake = (): void => waiting.splice(0).forEach((one) => one())
  const store = new KeyStore({ clock, refreshMs, files: new KeyFiles(folder.path), random: () => 1, onChange: wake, log: (line) => { lines.push(line); wake() } })
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve))
  }
  return { store, lines, until, [Symbol.dispose]: () => store.close() }
}

test('keys are found where the policy says, or where the issuer says', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await using issuer = await TokenIssuer.start(first)
  using keys = opened(folder)
  const sources = [keySource(issuer.keysUrl, 'a'), keySource(undefined, issuer.issuer), keySource('', `${issuer.issuer}/`)]
  await keys.store.want(sources)
  assert.deepEqual([...keys.store.current], sources.map(({ id }) => [id, first]))
  assert.equal(issuer.asked.filter((path) => path === '/.well-known/openid-configuration').length, 2)
  assert.equal(keys.store.want(sources), undefined)
  assert.deepEqual(keys.lines, [])
})

test('an issuer that comes up late is found soon, and one that is away for ever holds up nobody', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await using well = await TokenIssuer.start(first)
  const port = await freePort()
  using keys = opened(folder)
  const late = keySource(`http://localhost:${port}/keys`, 'late')
  await keys.store.want([keySource(well.keysUrl, 'well'), late, keySource('http://localhost:1/keys', 'gone')])
  assert.deepEqual([...keys.store.current], [[well.keysUrl, first]])
  assert.ok(keys.lines.some((line) => line.includes(`keys of ${late.id} cannot be fetched, its tokens are refused`)), keys.lines.join('\n'))
  await using issuer = await TokenIssuer.start(second, { port })
  await keys.until(() => keys.store.current.get(late.id) === second)
  await keys.until(() => keys.lines.includes(`keys of ${late.id} are there`))
  assert.ok(issuer.asked.length > 0)
})

test('an issuer that goes away keeps its last good keys, also in a control plane that starts later', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await using issuer = await TokenIssuer.start(first)
  const clock = manualClock()
  const source = keySource(issuer.keysUrl, 'a')
  {
    using keys = opened(folder, clock)
    await keys.store.want([source])
    issuer.behaves = (_request, response) => void response.writeHead(500).end()
    await clock.advance(1_200_000)
    await keys.until(() => keys.lines.some((line) => line.includes('the last good ones stay in use')))
    assert.equal(keys.store.current.get(source.id), first)
  }
  const [file] = await readdir(folder.at('keys'))
  assert.equal(((await stat(folder.at(`keys/${file}`))).mode & 0o777).toString(8), '600')
  {
    using later = opened(folder, clock)
    await later.store.want([source])
    assert.equal(later.store.current.get(source.id), first)
  }
  await writeFile(folder.at(`keys/${file}`), '{"source":"x"')
  using broken = opened(folder, clock)
  await broken.store.want([source])
  assert.equal(broken.store.current.size, 0)
})

test('keys are refreshed as often as the control plane is told, and sooner where the issuer says so', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await using issuer = await TokenIssuer.start(first)
  issuer.headers = { 'cache-control': 'public, max-age=30' }
  const clock = manualClock()
  using keys = opened(folder, clock)
  const source = keySource(issuer.keysUrl, 'a')
  await keys.store.want([source])
  issuer.keys = second
  issuer.headers = {}
  await clock.advance(30_000)
  await keys.until(() => keys.store.current.get(source.id) === second)
  issuer.keys = first
  await clock.advance(600_000)
  assert.equal(issuer.asked.length, 2)
  await clock.advance(600_000)
  await keys.until(() => keys.store.current.get(source.id) === first)
  assert.match(await readFile(folder.at(`keys/${(await readdir(folder.at('keys'))).find((name) => !name.startsWith('.'))}`), 'utf8'), /"source"/)
})

test('what no policy names any more is neither asked nor kept', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await using issuer = await TokenIssuer.start(first)
  const clock = manualClock()
  using keys = opened(folder, clock)
  await keys.store.want([keySource(issuer.keysUrl, 'a')])
  assert.equal(keys.store.want([]), undefined)
  assert.equal(keys.store.current.size, 0)
  await clock.advance(86_400_000)
  assert.deepEqual([issuer.asked.length, clock.waiting], [1, 0])
})

interface Useless {
  readonly title: string
  readonly behaves: (request: IncomingMessage, response: ServerResponse) => void
  readonly says: RegExp
}

const answering = (status: number, body = '', headers: Record<string, string> = {}) => (_request: IncomingMessage, response: ServerResponse): void => void response.writeHead(status, headers).end(body)

const useless: readonly Useless[] = [
  { title: 'answers with an error', behaves: answering(503), says: /answers 503/ },
  { title: 'answers with a page', behaves: answering(200, '<html>'), says: /no key that can check a signature: it is no JSON/ },
  { title: 'answers with nothing', behaves: answering(200), says: /no JSON/ },
  { title: 'has no keys', behaves: answering(200, '{"keys":[]}'), says: /has no keys/ },
  { title: 'has no key for signatures', behaves: answering(200, '{"keys":[{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}]}'), says: /is for encryption/ },
  { title: 'sends without end', behaves: (_request, response) => { response.writeHead(200); const more = (): void => { while (response.write('a'.repeat(65_536))) { /* until it is full */ } }; response.on('drain', more); more() }, says: /more than 1048576 bytes/ },
  { title: 'accepts and says nothing', behaves: () => {}, says: /no whole answer from .* within 300 ms/ },
  { title: 'begins and does not end', behaves: (_request, response) => void response.writeHead(200).write('{"keys":'), says: /within 300 ms/ },
  { title: 'breaks off', behaves: (request, response) => { response.writeHead(200, { 'content-length': '100' }); response.write('{'); setImmediate(() => request.socket.destroy()) }, says: /cannot get .*aborted/ },
  { title: 'redirects for ever', behaves: (_request, response) => void response.writeHead(302, { location: '/keys' }).end(), says: /redirects more than 3 times/ },
  { title: 'redirects to a file', behaves: answering(302, '', { location: 'file:///etc/passwd' }), says: /neither http nor https/ },
  { title: 'redirects to where clouds keep credentials', behaves: answering(302, '', { location: 'http://169.254.169.254/latest' }), says: /169\.254\.169\.254 is an address of this machine's own link/ },
]
for (const { title, behaves, says } of useless) {
  test(`an issuer that ${title} gives no keys, and it is said why`, { timeout: 20_000 }, async () => {
    await using issuer = await TokenIssuer.start(first)
    issuer.behaves = behaves
    const error: unknown = await fetchKeys(keySource(issuer.keysUrl, 'a', 300), {}).then(() => assert.fail('it gave keys'), (reason: unknown) => reason)
    assert.match(describe(error), says)
  })
}

test('a redirect to the keys is followed', { timeout: 20_000 }, async () => {
  await using issuer = await TokenIssuer.start(first)
  issuer.behaves = (request, response) => void (request.url === '/moved' ? response.end(first) : response.writeHead(301, { location: '/moved' }).end())
  assert.equal((await fetchKeys(keySource(issuer.keysUrl, 'a'), {})).keys, first)
})

test('an issuer on TLS is known by the roots that are given, and never left for one without', { timeout: 20_000 }, async () => {
  const authority = createAuthority()
  const { chain, key } = authority.issue('DNS:localhost')
  await using issuer = await TokenIssuer.start(first, { tls: { cert: chain, key } })
  const source = keySource(issuer.keysUrl, 'a')
  assert.equal((await fetchKeys(source, { roots: authority.roots })).keys, first)
  await assert.rejects(fetchKeys(source, {}), /cannot get/)
  await using plain = await TokenIssuer.start(first)
  issuer.behaves = answering(302, '', { location: plain.keysUrl })
  await assert.rejects(fetchKeys(source, { roots: authority.roots }), /redirects from https to http/)
  assert.deepEqual(plain.asked, [])
})

test('the OpenID configuration of an issuer may be of no use either', { timeout: 20_000 }, async () => {
  await using issuer = await TokenIssuer.start(first)
  for (const [body, says] of [['{}', /has no jwks_uri/], ['no', /has no jwks_uri/], ['{"jwks_uri":"ftp://a"}', /neither http nor https/]] as const) {
    issuer.behaves = answering(200, body)
    await assert.rejects(fetchKeys(keySource(undefined, issuer.issuer), {}), says)
  }
})

test('an issuer is asked when a key is missing: at once, then every ten seconds at most, whoever makes up key ids', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await using issuer = await TokenIssuer.start(first)
  const clock = manualClock()
  using keys = opened(folder, clock)
  const { id } = keySource(issuer.keysUrl, 'a')
  await keys.store.want([keySource(issuer.keysUrl, 'a')])
  issuer.keys = second
  keys.store.missing(id)
  await clock.advance(0)
  await keys.until(() => keys.store.current.get(id) === second)
  for (let second = 0; second < 9; second++) {
    keys.store.missing(id)
    keys.store.missing('https://nobody.example/keys')
    await clock.advance(1000)
  }
  assert.equal(issuer.asked.length, 2)
  issuer.keys = first
  await clock.advance(1000)
  await keys.until(() => keys.store.current.get(id) === first)
  assert.equal(issuer.asked.length, 3)
})
