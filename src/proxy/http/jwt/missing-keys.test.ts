import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../../test/support/manual-clock.ts'
import { readKeySet } from '../../../security/jwt/key-set.ts'
import { sourceIn, withSource } from '../../../xds/missing-keys.ts'
import { MissingKeys, waitMs } from './missing-keys.ts'
import type { HeldKeys } from './missing-keys.ts'

const held = (text: string): HeldKeys => ({ text, keys: readKeySet(text) })
const older = held('{"keys":[]}')
const newer = held('{"keys":[{}]}')

function world() {
  const clock = manualClock()
  const said: string[] = []
  const missing = new MissingKeys(clock)
  missing.say = (source) => void said.push(source)
  missing.hold('a', older)
  return { clock, said, missing }
}

test('where keys come from goes along with them, and changes none of them', () => {
  const keys = '{"keys":[{"kty":"oct","k":"AA"}]}\n'
  const sent = withSource(keys, 'https://issuer.example/"keys"')
  assert.equal(sourceIn(sent), 'https://issuer.example/"keys"')
  assert.deepEqual(readKeySet(sent), readKeySet(keys))
  assert.equal(sourceIn(keys), undefined)
  const certificates = '{"id":"-----BEGIN CERTIFICATE-----"}'
  assert.equal(withSource(certificates, 'a'), certificates)
})

test('requests wait for the next configuration with other keys, and the control plane is told once', async () => {
  const { said, missing } = world()
  const waiting = [missing.newer('a', older), missing.newer('a', older)]
  missing.hold('a', held(older.text))
  missing.hold('a', newer)
  assert.deepEqual(await Promise.all(waiting), [newer.keys, newer.keys])
  assert.deepEqual(said, ['a'])
})

test('a connection that began with older keys gets the newest without asking anybody', async () => {
  const { said, missing } = world()
  missing.hold('a', newer)
  assert.equal(await missing.newer('a', older), newer.keys)
  assert.deepEqual(said, [])
})

test('whoever makes up key ids waits two seconds once in ten, and causes one word in that time', async () => {
  const { clock, said, missing } = world()
  const waiting = missing.newer('a', older)
  await clock.advance(waitMs)
  assert.equal(await waiting, undefined)
  for (let i = 0; i < 7; i++) {
    assert.equal(await missing.newer('a', older), undefined)
    await clock.advance(1000)
  }
  await clock.advance(1000)
  assert.deepEqual(said, ['a'])
  const again = missing.newer('a', older)
  assert.deepEqual(said, ['a', 'a'])
  await clock.advance(waitMs)
  assert.equal(await again, undefined)
})

test('only so many requests wait, and each issuer is on its own', async () => {
  const { clock, said, missing } = world()
  missing.hold('b', older)
  const waiting = Array.from({ length: 1000 }, () => missing.newer('a', older))
  assert.equal(await missing.newer('a', older), undefined)
  const other = missing.newer('b', older)
  missing.hold('b', newer)
  assert.equal(await other, newer.keys)
  assert.deepEqual(said, ['a', 'b'])
  await clock.advance(waitMs)
  assert.ok((await Promise.all(waiting)).every((one) => one === undefined))
})
