// A proxy that cannot show who it is, or meets a control plane that it does not know, gets nothing, serves nothing, and
// says why; a peer with a wrong certificate does not get through to the application.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createAuthority } from '../support/certificates.ts'
import { request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const identity = 'URI:spiffe://cluster.local/ns/default/sa/reviews'
const days = (from: number, to: number) => ({ from, to })

test('a proxy that proves nothing, or finds a stranger in the place of its control plane, gets nothing and says why', { timeout: 60_000 }, async () => {
  const authority = createAuthority('mesh root')
  const stranger = createAuthority('another root')
  await using mesh = await ProcessMesh.create()
  mesh.takeRoot(authority)
  const control = await mesh.startControl()
  const roots = await mesh.rootsFile()
  const strangerRoots = mesh.file('stranger.pem', stranger.roots)
  const files = (name: string, { chain, key }: { chain: string; key: string }) => ['--root-ca-file', roots, '--certificate-file', mesh.file(`${name}.pem`, chain), '--key-file', mesh.file(`${name}.key`, key)]
  const token = (name: string, text: string, rootsFile = roots) => ['--root-ca-file', rootsFile, '--token-file', mesh.file(`${name}.token`, text)]
  const good = await mesh.token('reviews')

  const cases: readonly { title: string; flags: readonly string[]; why: RegExp }[] = [
    { title: 'a token that nobody made', flags: token('wrong', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA'), why: /no certificate for \S+: .*UNAUTHENTICATED: the token was not made by this control plane; nothing serves/ },
    { title: 'a token that has expired', flags: token('expired', await mesh.token('reviews', -5000)), why: /UNAUTHENTICATED: the token has expired/ },
    { title: "another identity's token", flags: token('other', await mesh.token('ratings')), why: /certificate from the CA is refused: it is for URI:\S+\/sa\/ratings, not for \S+\/sa\/reviews/ },
    { title: 'roots of another mesh', flags: token('roots', good, strangerRoots), why: /no certificate for \S+: .*(self-signed certificate in certificate chain|unable to verify)/ },
    { title: 'a certificate of another CA', flags: files('another', stranger.issue(identity)), why: /control plane at \S+ has not answered yet, and nothing serves before it does/ },
    { title: 'a certificate that has expired', flags: files('old', authority.issue(identity, days(-3, -1))), why: /control plane at \S+ has not answered yet, and nothing serves before it does/ },
    { title: "a certificate for another's name", flags: files('name', authority.issue('URI:spiffe://cluster.local/ns/default/sa/ratings')), why: /PERMISSION_DENIED: node \S+ has the service account reviews .* but its certificate says \S+\/sa\/ratings/ },
    { title: 'a certificate for no SPIFFE identity', flags: files('dns', authority.issue('DNS:reviews')), why: /PERMISSION_DENIED: xDS over TLS needs a client certificate with a SPIFFE identity/ },
  ]
  const { xds } = mesh.addresses
  const start = (flags: readonly string[]) => mesh.use(new TrysailProcess([
    'proxy', '--name', 'reviews', '--service-account', 'reviews', '--labels', 'app=reviews', '--ip', `${mesh.net}.2`, '--admin-port', '0', '--discovery-address', xds, ...flags,
  ], mesh.options))
  // Two at a time: a process costs its start.
  for (let i = 0; i < cases.length; i += 2) {
    await Promise.all(cases.slice(i, i + 2).map(async ({ title, flags, why }) => {
      const proxy = start(flags)
      await proxy.saying(why).catch((error: unknown) => assert.fail(`${title}: ${String(error)}`))
      const [, admin = ''] = await proxy.saying(/admin on (\S+)/)
      const ready = await fetch(`${admin}/ready`)
      assert.deepEqual([ready.status, await ready.text()], [503, 'INITIALIZING: no configuration yet\n'], title)
      assert.doesNotMatch(proxy.output, /info +serves/, title)
      proxy.signal('SIGTERM')
      assert.equal(await proxy.exited, 0, title)
    }))
  }
  assert.deepEqual(await mesh.connected(), [])
  assert.match(control.output, /refused \S+: its certificate is not to be trusted: \S*(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|DEPTH_ZERO)/)
  assert.match(control.output, /refused \S+: its certificate is not to be trusted: \S*CERT_HAS_EXPIRED/)
})

test('a peer whose certificate is of another CA, expired or missing does not reach the application', { timeout: 60_000 }, async () => {
  const authority = createAuthority('mesh root')
  const stranger = createAuthority('another root')
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.takeRoot(authority)
  await mesh.startControl()
  await (await mesh.startReviews(app.at)).saying(/info +serves/)
  const curl = async (name: string, pair?: { chain: string; key: string }): Promise<string> => {
    const files = pair === undefined ? [] : ['--cert', mesh.file(`${name}.pem`, pair.chain), '--key', mesh.file(`${name}.key`, pair.key)]
    const done = await run('curl', ['--silent', '--insecure', '--max-time', '5', ...files, `https://${mesh.net}.2:9080/`]).catch((error: { code: number }) => error)
    return 'code' in done ? `curl failed with ${done.code}` : done.stdout
  }
  const mine = 'URI:spiffe://cluster.local/ns/default/sa/curl'
  assert.equal(await curl('good', authority.issue(mine)), 'spiffe://cluster.local/ns/default/sa/curl\n')
  const refused = await Promise.all([
    curl('stranger', stranger.issue(mine)), curl('expired', authority.issue(mine, days(-3, -1))), curl('future', authority.issue(mine, days(1, 2))), curl('nobody'),
  ])
  // Over HTTP/2, which both speak now, the refusal comes as a stream that ends early.
  for (const answer of refused) assert.match(answer, /^curl failed with (16|18|35|52|55|56|92)$/)
  assert.deepEqual([...app.callers], ['spiffe://cluster.local/ns/default/sa/curl'])
})

test('a sidecar whose peer is not who it should be sends nothing to it', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  // In the place of reviews stands somebody with a good certificate of the mesh, but for another account.
  const flags = ['--service-account', 'impostor', '--token-file', mesh.file('impostor.token', await mesh.token('impostor'))]
  const { xds } = mesh.addresses
  const impostor = mesh.use(new TrysailProcess(['proxy', '--name', 'impostor', '--ip', `${mesh.net}.2`, '--labels', 'app=reviews', '--admin-port', '0', '--discovery-address', xds,
    '--root-ca-file', await mesh.rootsFile(), '--inbound', `${mesh.net}.2:9080=${app.at}`, ...flags], mesh.options))
  const { url } = await mesh.startProductpage()
  await impostor.saying(/info +serves/)
  await until(async () => (await mesh.connected()).length === 2, 'two connected proxies')
  const answer = await request(url)
  assert.equal(answer.status, 503)
  assert.match(answer.body, /upstream connect error|TLS/i)
  assert.deepEqual([...app.callers], [])
})
