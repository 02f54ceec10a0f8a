import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { Leaving } from './leaving.ts'

function start(exitOnZeroActiveConnections: boolean) {
  const clock = manualClock()
  const asked: string[] = []
  const answer = async (word: string, ms: number): Promise<number> => (asked.push(`${word} ${ms / 1000}`), 0)
  const proxy = { withdraw: async (ms: number) => void (await answer('withdraw', ms)), drainInbound: (ms: number) => answer('inbound', ms), drain: (ms = 0) => answer('drain', ms) }
  const leaving = new Leaving(proxy, { terminationDrainDuration: 8_000, exitOnZeroActiveConnections, minimumDrainDuration: 5_000 }, clock)
  return { clock, asked, leaving }
}

test('all of the leaving is under one deadline, which is over when nobody is connected any more', async () => {
  const { clock, asked, leaving } = start(false)
  await leaving.beforeEnd()
  await clock.advance(3_000)
  await leaving.drainInbound()
  assert.deepEqual([asked, leaving.leftMs], [['withdraw 2', 'inbound 5'], 5_000])
})

for (const how of ['beforeEnd', 'drainInbound'] as const) {
  test(`until nobody is connected it stays, but for the least time at least: ${how}`, async () => {
    const { clock, asked, leaving } = start(true)
    let over = false
    const left = leaving[how]().then(() => (over = true))
    await new Promise(setImmediate)
    await clock.advance(4_900)
    assert.deepEqual([asked, over], [['withdraw 2', how === 'beforeEnd' ? 'drain 3600' : 'inbound 3600'], false])
    await clock.advance(100)
    await left
    assert.equal(over, true)
  })
}
