import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../lib/clock.ts'
import type { CompiledListener } from './compile.ts'
import type { ChainService } from './connection.ts'
import { ChainServices } from './services.ts'

interface FakeService extends ChainService {
  active: number
  drained: number
  closed: number
}

function service(active: number): FakeService {
  const fake: FakeService = {
    active, drained: 0, closed: 0, serve() {},
    drain: () => void fake.drained++,
    close() {
      fake.closed++
      fake.active = 0
    },
  }
  return fake
}

const plan = (...services: ChainService[]) =>
  new Map([['l', { name: 'l', chains: services.map((one) => ({ service: one, decoded: { message: {} } })) } as unknown as CompiledListener]])

function handClock() {
  let now = 0
  const timers = new Set<{ at: number; run: () => void }>()
  const clock: Clock = {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  const pass = async (ms: number) => {
    now += ms
    for (const timer of timers) if (timer.at <= now && timers.delete(timer)) timer.run()
    await new Promise(setImmediate)
  }
  return { clock, pass, timers }
}

test('a chain that a plan drops drains, and is cut off when its time is up', async () => {
  const { clock, pass } = handClock()
  const services = new ChainServices(clock, 45_000)
  const old = service(2)
  const kept = service(1)
  services.replace(plan(old, kept))
  services.replace(plan(kept))
  assert.deepEqual([old.drained, old.closed, kept.drained], [1, 0, 0])
  assert.equal(services.active, 3)
  await pass(45_000)
  assert.deepEqual([old.closed, kept.closed, services.active, services.retired], [1, 0, 1, 0])
})

test('a dropped chain without connections is gone at once, without a timer', () => {
  const { clock, timers } = handClock()
  const services = new ChainServices(clock, 45_000)
  const old = service(0)
  services.replace(plan(old))
  services.replace(plan())
  assert.equal(old.closed, 1)
  assert.equal(timers.size, 0)
})

test('a drain ends when the last connection is gone', async () => {
  const { clock, pass } = handClock()
  const services = new ChainServices(clock, 45_000)
  const busy = service(1)
  services.replace(plan(busy))
  let left = -1
  const drained = services.drain(5000).then((count) => (left = count))
  await pass(50)
  assert.equal(left, -1)
  busy.active = 0
  await pass(50)
  await drained
  assert.equal(left, 0)
})

test('a drain has one deadline for everybody and says how many were left', async () => {
  const { clock, pass } = handClock()
  const services = new ChainServices(clock, 45_000)
  services.replace(plan(service(3), service(4)))
  const drained = services.drain(100)
  for (const ms of [50, 25, 25]) await pass(ms)
  assert.equal(await drained, 7)
})

test('in the second half of a drain who may stay for ever is told, shortly before its end everybody, also by a process that was too busy to', async () => {
  for (const [steps, expected] of [[[100, 300, 100, 450, 50], ['soon', 'now']], [[5_000, 50], ['now']]] as const) {
    const { clock, pass } = handClock()
    const services = new ChainServices(clock, 45_000)
    const told: string[] = []
    services.replace(plan({ ...service(1), announceEnd: (last) => void told.push(last ? 'now' : 'soon') }))
    const drained = services.drain(1_000)
    for (const ms of steps) await pass(ms)
    assert.equal(await drained, 1)
    assert.deepEqual(told, expected)
  }
})

test('inbound connections drain alone, those of newer plans too, and what is left then ends', async () => {
  const { clock, pass } = handClock()
  const services = new ChainServices(clock, 45_000)
  const [first, second, outbound] = [service(1), service(1), service(1)]
  const both = (inbound: ChainService) => new Map(([['in', 'inbound', inbound], ['out', 'outbound', outbound]] as const).map(([name, direction, one]) =>
    [name, { name, direction, chains: [{ service: one, decoded: { message: {} } }] } as unknown as CompiledListener]))
  services.replace(both(first))
  const events: string[] = []
  const drained = services.drainInbound(100, { onHalf: () => void events.push('half'), onEnd: () => void events.push('end') })
  services.replace(both(second))
  for (const ms of [50, 25, 25]) await pass(ms)
  assert.equal(await drained, 2)
  assert.deepEqual([first.closed, second.drained, second.closed, outbound.drained, outbound.closed], [1, 1, 1, 0, 0])
  assert.deepEqual([events[0], events.at(-1)], ['half', 'end'])
})

test('what a chain let in is asked again by whatever takes its place, until it is gone', () => {
  const { clock } = handClock()
  const services = new ChainServices(clock, 1000)
  const asked: [ChainService, ChainService][] = []
  const [first, second, third] = [service(1), service(1), service(0)]
  for (const one of [first, second]) one.recheck = (successor) => void asked.push([one, successor])
  services.replace(plan(first))
  services.replace(plan(second))
  services.replace(plan(third))
  assert.deepEqual(asked, [[first, second], [first, third], [second, third]])
  asked.length = 0
  first.active = 0
  services.replace(plan(third))
  services.replace(new Map())
  assert.deepEqual(asked.map(([one]) => one), [first, second], 'nothing stands in its place any more')
})

test('a drain waits for connections that no service has yet', async () => {
  const { clock, pass } = handClock()
  const services = new ChainServices(clock, 45_000)
  let handshakes = 1
  let left = -1
  const drained = services.drain(5000, () => handshakes).then((count) => (left = count))
  await pass(50)
  assert.equal(left, -1)
  handshakes = 0
  await pass(50)
  await drained
  assert.equal(left, 0)
})

test('a drain does not wait until its deadline for a client that connected and says nothing', async () => {
  const { clock, pass } = handClock()
  const services = new ChainServices(clock, 45_000)
  let left: number | undefined
  const drained = services.drain(10_000, () => 1).then((count) => (left = count))
  await pass(1_000)
  assert.equal(left, undefined)
  for (let i = 0; i < 30; i++) await pass(50)
  await drained
  assert.equal(left, 1)
})
