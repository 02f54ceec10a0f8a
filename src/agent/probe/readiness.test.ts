import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { until } from '../../../test/support/until.ts'
import type { ReadinessProbe } from '../../proxy/main.ts'
import { Readiness } from './readiness.ts'
import type { ReadinessOptions } from './readiness.ts'

const command: ReadinessProbe = { initialDelayMs: 0, periodMs: 1000, timeoutMs: 1000, successThreshold: 1, failureThreshold: 1, method: { kind: 'exec', command: ['/no/such/program'] } }

function start(over: Partial<ReadinessOptions> = {}) {
  const clock = manualClock()
  const said: (string | undefined)[] = []
  const proxy = { notReadyBecause: '', reportHealth: (problem: string | undefined) => void said.push(problem) }
  const readiness = new Readiness({ clock, proxy: () => proxy, place: { ip: '127.0.0.1', at: (address) => address, from: () => undefined }, ports: () => [], probe: undefined, groupMayProbe: true, runsCommands: false, log: () => {}, ...over })
  return { clock, said, proxy, readiness }
}

test('nothing is asked or said before the proxy serves, and nothing after the next process serves in its place', async () => {
  const { clock, said, readiness } = start()
  readiness.follow(command)
  await clock.advance(10_000)
  assert.deepEqual([said, clock.waiting], [[], 0])
  readiness.begin()
  await clock.advance(0)
  assert.match(said[0]!, /allow it with --exec-probes/)
  readiness.close()
  readiness.follow({ ...command, periodMs: 1 })
  await clock.advance(10_000)
  assert.deepEqual([said.length, clock.waiting], [1, 0])
})

test('a proxy that does not serve any more is the first thing that is wrong with its application', async () => {
  const { clock, said, proxy, readiness } = start()
  readiness.begin()
  proxy.notReadyBecause = 'draining'
  readiness.follow(command)
  await clock.advance(0)
  assert.deepEqual(said, ['the proxy is not ready: draining'])
})

test('where the probe goes, the application is well, and only then', async () => {
  const { clock, said, readiness } = start()
  readiness.begin()
  readiness.follow(undefined)
  assert.deepEqual(said, [])
  readiness.follow(command)
  await clock.advance(0)
  readiness.follow(undefined)
  assert.deepEqual([said.length, said[1], clock.waiting], [2, undefined, 0])
})

test('without a probe it takes requests once it accepts connections; a group that may bring one is waited for', async () => {
  const own = start({ groupMayProbe: false })
  own.readiness.notYet()
  own.readiness.begin()
  await own.clock.advance(0)
  assert.deepEqual(own.said, ['it has not begun', undefined], 'there are no ports')
  const grouped = start()
  grouped.readiness.begin()
  await grouped.clock.advance(1_000)
  assert.deepEqual(grouped.said, [])
  await grouped.clock.advance(1_000)
  assert.deepEqual(grouped.said, [undefined])
})

test("a probe of this machine's settings counts until a group has one, and again when that goes", async () => {
  const { clock, said, readiness } = start({ groupMayProbe: false, runsCommands: true, probe: { ...command, method: { kind: 'exec', command: ['/no/such/own'] } } })
  readiness.begin()
  for (const [told, says] of [[command, /such\/program/], [undefined, /such\/own/]] as const) {
    await clock.advance(0)
    await until(() => Promise.resolve(said.length > 0), 'it was asked')
    said.length = 0
    readiness.follow(told)
    await clock.advance(0)
    await until(() => Promise.resolve(said.length > 0), 'it was asked')
    assert.match(said[0]!, says)
  }
  readiness.close()
})
