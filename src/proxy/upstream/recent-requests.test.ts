import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecentRequests } from './recent-requests.ts'

function start(intervalMs = 1000) {
  const time = { now: 5_000_000 }
  const recent = new RecentRequests(intervalMs, () => time.now)
  return { time, recent }
}

test('requests count for the interval, and step by step no more', () => {
  const { time, recent } = start()
  recent.add()
  recent.add()
  time.now += 500
  recent.add()
  assert.equal(recent.total, 3)
  time.now += 400
  assert.equal(recent.total, 3)
  time.now += 100
  assert.equal(recent.total, 1)
  time.now += 500
  assert.equal(recent.total, 0)
})

test('after a long silence nothing is left, and counting goes on', () => {
  const { time, recent } = start()
  for (let i = 0; i < 25; i++) {
    recent.add()
    time.now += 100
  }
  assert.equal(recent.total, 9)
  time.now += 3_600_000
  assert.equal(recent.total, 0)
  recent.add()
  assert.equal(recent.total, 1)
})

test('a clock that is set back loses and invents nothing', () => {
  const { time, recent } = start()
  recent.add()
  time.now -= 100_000
  recent.add()
  assert.equal(recent.total, 2)
  time.now += 101_000
  assert.equal(recent.total, 0)
})

test('an interval of less than a step of the clock is one all the same', () => {
  const { time, recent } = start(1)
  recent.add()
  assert.equal(recent.total, 1)
  time.now += 1
  assert.equal(recent.total, 0)
})
