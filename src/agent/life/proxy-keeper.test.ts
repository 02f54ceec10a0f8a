import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { createBackoff } from '../../lib/backoff.ts'
import { ProxyKeeper } from './proxy-keeper.ts'

function start() {
  const proxies: { readonly takesOver: boolean; readonly ready: PromiseWithResolvers<void>; readonly ended: PromiseWithResolvers<number>; told: string }[] = []
  const clock = manualClock()
  const lines: string[] = []
  const keeper = new ProxyKeeper({
    start(takesOver) {
      const one = { takesOver, ready: Promise.withResolvers<void>(), ended: Promise.withResolvers<number>(), told: '' }
      proxies.push(one)
      const end = (): Promise<void> => (one.told = 'end', one.ended.resolve(0), Promise.resolve())
      return { ready: one.ready.promise, ended: one.ended.promise, leave: () => (one.told = 'leave', Promise.resolve()), end }
    },
    backoff: createBackoff({ firstMs: 100, maxMs: 1_000, random: () => 1 }), clock, log: (line) => lines.push(line),
  })
  return { keeper, proxies, clock, lines }
}

test('one newer proxy at a time takes over; what comes after is said to it, and one that breaks then is started again alone', async () => {
  const { keeper, proxies, clock, lines } = start()
  proxies[0]!.ready.resolve()
  await keeper.ready
  const upgrade = keeper.upgrade()
  await keeper.upgrade()
  assert.deepEqual(proxies.map(({ takesOver }) => takesOver), [false, true])
  proxies[1]!.ready.resolve()
  await upgrade
  assert.deepEqual(lines, ['a newer proxy is on its way already', 'a newer proxy has taken over'])
  proxies[0]!.ended.resolve(0)
  proxies[1]!.ended.resolve(137)
  await new Promise(setImmediate)
  await clock.advance(100)
  assert.deepEqual(proxies.map(({ takesOver }) => takesOver), [false, true, false])
  await keeper.leave()
  await keeper.end()
  assert.deepEqual(proxies.map(({ told }) => told), ['', '', 'end'])
  await keeper.upgrade()
  assert.equal(proxies.length, 3)
})

test('a newer proxy that does not come up changes nothing, and one on its way ends with the other', async () => {
  const { keeper, proxies, lines } = start()
  proxies[0]!.ready.resolve()
  await keeper.ready
  const failed = keeper.upgrade()
  proxies[1]!.ended.resolve(64)
  await failed
  assert.deepEqual(lines, ['the newer proxy ended with code 64: the one that runs goes on'])
  const cut = keeper.upgrade()
  await keeper.end()
  await cut
  assert.deepEqual(proxies.map(({ told }) => told), ['end', '', 'end'])
})

test('a proxy that never served is given up with its code', async () => {
  const { keeper, proxies } = start()
  proxies[0]!.ended.resolve(64)
  assert.equal(await keeper.gaveUp, 64)
})
