import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isName, resolveName } from './resolve.ts'

test('the hosts file is asked, and says nothing of how long that holds', async () => {
  const found = await resolveName('localhost', { family: 'v4', timeoutMs: 5_000, wantsTtl: false })
  assert.deepEqual(found, { addresses: ['127.0.0.1'], ttlMs: undefined })
})

test('an address is its own answer, in the family that was asked for', async () => {
  const of = (host: string, family: 'v4' | 'v6' | 'v4-first' | 'v6-first' | 'all') => resolveName(host, { family, timeoutMs: 5_000, wantsTtl: false })
  assert.deepEqual((await of('::1', 'v4-first')).addresses, ['::1'])
  assert.deepEqual((await of('127.0.0.1', 'v6-first')).addresses, ['127.0.0.1'])
  assert.deepEqual((await of('::1', 'all')).addresses, ['::1'])
  await assert.rejects(of('127.0.0.1', 'v6'), { code: 'net/name', message: 'host name 127.0.0.1 has no address of family v6' })
})

test('many look-ups at once are all answered', async () => {
  const asked = Array.from({ length: 50 }, () => resolveName('localhost', { family: 'v4', timeoutMs: 5_000, wantsTtl: false }))
  for (const { addresses } of await Promise.all(asked)) assert.deepEqual(addresses, ['127.0.0.1'])
})

test('only names are names', () => {
  assert.deepEqual(['web.test', 'localhost', '10.0.0.1', '::1', 'unix:///run/x'].map((host) => isName({ host })), [true, true, false, false, false])
})
