import assert from 'node:assert/strict'
import { rename, rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { systemClock } from '../../lib/clock.ts'
import { createAuthority } from '../../../test/support/certificates.ts'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import { FileSecrets } from './file-secrets.ts'

const authority = createAuthority()
const first = authority.issue('DNS:a.test')
const second = authority.issue('DNS:a.test')

/** Waits for events of the secrets, never for time. */
function opened() {
  const lines: string[] = []
  const waiting: (() => void)[] = []
  const secrets = new FileSecrets({ clock: systemClock, log: (line) => { lines.push(line); waiting.splice(0).forEach((wake) => wake()) } })
  secrets.onChange(() => waiting.splice(0).forEach((wake) => wake()))
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve))
  }
  return { secrets, lines, until }
}

test('a certificate in files is read, and read again when both files have been replaced', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('tls.crt', first.chain)
  await folder.write('tls.key', first.key)
  await folder.write('ca.crt', authority.roots)
  const [cert, roots] = [`file-cert:${folder.at('tls.crt')}~${folder.at('tls.key')}`, `file-root:${folder.at('ca.crt')}`]
  const { secrets, until } = opened()
  secrets.keep([cert, roots, 'default', 'kubernetes://other'])
  await until(() => secrets.isAnswered(cert) && secrets.isAnswered(roots))
  assert.deepEqual(secrets.certificate(cert), first)
  assert.deepEqual(secrets.trust(roots), { roots: authority.roots, crl: '' })
  assert.equal(secrets.trust(cert), undefined)

  await writeFile(folder.at('new.crt'), second.chain)
  await rename(folder.at('new.crt'), folder.at('tls.crt'))
  await writeFile(folder.at('tls.key'), second.key)
  await until(() => secrets.certificate(cert)?.chain === second.chain)
  assert.deepEqual(secrets.certificate(cert), second)
  secrets.close()
})

test('half of a new certificate, rubbish and a file that vanishes leave the last good one in use', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('tls.crt', first.chain)
  await folder.write('tls.key', first.key)
  const name = `file-cert:${folder.at('tls.crt')}~${folder.at('tls.key')}`
  const { secrets, lines, until } = opened()
  secrets.keep([name])
  await until(() => secrets.isAnswered(name))
  for (const [text, complaint] of [[second.chain, /the key does not belong to the certificate; the last good one/], ['rubbish', /no certificate in PEM/]] as const) {
    await writeFile(folder.at('tls.crt'), text)
    await until(() => complaint.test(lines.at(-1) ?? ''))
    assert.deepEqual(secrets.certificate(name), first)
  }
  await rm(folder.at('tls.crt'))
  await until(() => /ENOENT/.test(lines.at(-1) ?? ''))
  assert.deepEqual(secrets.certificate(name), first)
  assert.ok(!lines.join().includes(first.key.slice(40, 80)))
  secrets.close()
})

test('a folder that is replaced as a whole is watched anew', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  const write = async ({ chain, key }: typeof first): Promise<void> => {
    await folder.write('live/tls.crt', chain)
    await folder.write('live/tls.key', key)
  }
  await write(first)
  const name = `file-cert:${folder.at('live/tls.crt')}~${folder.at('live/tls.key')}`
  const { secrets, until } = opened()
  secrets.keep([name])
  await until(() => secrets.isAnswered(name))
  await folder.move('live', 'gone')
  await write(second)
  await until(() => secrets.certificate(name)?.chain === second.chain)
  await write(first)
  await until(() => secrets.certificate(name)?.chain === first.chain)
  secrets.close()
})

test('a file that is not there is answered for, and found when it comes', { timeout: 20_000 }, async () => {
  await using folder = await TempFolder.create()
  const name = `file-root:${folder.at('ca.crt')}`
  const { secrets, lines, until } = opened()
  secrets.keep([name, 'file-root:system'])
  assert.ok(!secrets.isAnswered(name))
  await until(() => secrets.isAnswered(name))
  assert.equal(secrets.trust(name), undefined)
  assert.match(lines[0]!, /ENOENT/)
  await folder.write('ca.crt', authority.roots)
  await until(() => secrets.trust(name) !== undefined)
  secrets.keep([])
  assert.equal(secrets.trust(name), undefined)
  secrets.close()
})
