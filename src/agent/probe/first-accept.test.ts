import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import type { Address } from '../../model/address.ts'
import { watchFirstAccept } from './first-accept.ts'

function start(...known: readonly number[]) {
  const clock = manualClock()
  const open = new Set<number>()
  const begun: (readonly string[])[] = []
  const stop = watchFirstAccept({
    clock, ports: () => known.map((port): Address => ({ host: '10.0.0.1', port })),
    ask: ({ port }) => Promise.resolve(open.has(port) ? undefined : `${port} refused`), onBegun: (missing) => begun.push(missing),
  })
  return { clock, open, begun, stop }
}

test('a program has begun once every port accepts, and is not asked again', async () => {
  const { clock, open, begun } = start(80, 81)
  await clock.advance(5_000)
  open.add(80)
  await clock.advance(1_000)
  assert.deepEqual(begun, [])
  open.add(81)
  await clock.advance(100)
  assert.deepEqual([begun, clock.waiting], [[[]], 0])
})

test('one without ports has begun at once', async () => {
  const { clock, begun } = start()
  await clock.advance(0)
  assert.deepEqual(begun, [[]])
})

test('after half a minute a port that it does not have is not waited for, if another accepts; with none it has not begun', async () => {
  const some = start(80, 81)
  some.open.add(80)
  const none = start(80, 81)
  for (const { clock } of [some, none]) for (let i = 0; i < 310; i++) await clock.advance(100)
  assert.deepEqual([some.begun, none.begun], [[['81 refused']], []])
  none.stop()
  none.open.add(80)
  await none.clock.advance(1_000)
  assert.deepEqual([none.begun, none.clock.waiting], [[], 0])
})
