import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import type { ReadinessProbe } from '../../proxy/main.ts'
import { Readiness } from './readiness.ts'

const command: ReadinessProbe = { initialDelayMs: 0, periodMs: 1000, timeoutMs: 1000, successThreshold: 1, failureThreshold: 1, method: { kind: 'exec', command: ['/no/such/program'] } }

function start() {
  const clock = manualClock()
  const said: (string | undefined)[] = []
  const proxy = { notReadyBecause: '', reportHealth: (problem: string | undefined) => void said.push(problem) }
  const readiness = new Readiness({ clock, proxy: () => proxy, place: { ip: '127.0.0.1', at: (address) => address, from: () => undefined }, runsCommands: false, log: () => {} })
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
