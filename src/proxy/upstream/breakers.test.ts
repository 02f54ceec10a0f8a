import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breakers, defaultBreakerLimits } from './breakers.ts'

test('each limit is full exactly when it is reached', () => {
  const breakers = new Breakers({ maxConnections: 2, maxPendingRequests: 1, maxRequests: 3, maxRetries: 1, retryBudget: undefined }, Date.now)
  const full = () => [breakers.connectionsFull, breakers.pendingFull, breakers.requestsFull, breakers.retriesFull]
  assert.deepEqual(full(), [false, false, false, false])
  breakers.connections = 1
  breakers.requests = 2
  assert.deepEqual(full(), [false, false, false, false])
  Object.assign(breakers, { connections: 2, pending: 1, requests: 3, retries: 1 })
  assert.deepEqual(full(), [true, true, true, true])
})

test('a limit of zero lets nothing through', () => {
  const breakers = new Breakers({ ...defaultBreakerLimits, maxRetries: 0, maxPendingRequests: 0 }, Date.now)
  assert.deepEqual([breakers.retriesFull, breakers.pendingFull], [true, true])
})

test('a retry budget is a share of what runs and waits, and a few are always allowed', () => {
  const breakers = new Breakers({ ...defaultBreakerLimits, maxRetries: 0, retryBudget: { percent: 20, minConcurrency: 3, intervalMs: 0 } }, Date.now)
  breakers.retries = 2
  assert.equal(breakers.retriesFull, false)
  breakers.retries = 3
  assert.equal(breakers.retriesFull, true)
  Object.assign(breakers, { requests: 15, pending: 5 })
  assert.equal(breakers.retriesFull, false)
  breakers.retries = 4
  assert.equal(breakers.retriesFull, true)
})

test('with an interval it is a share of what began within it, whether that still runs or not', () => {
  const time = { now: 1_000_000 }
  const breakers = new Breakers({ ...defaultBreakerLimits, retryBudget: { percent: 20, minConcurrency: 0, intervalMs: 1000 } }, () => time.now)
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) breakers.requestBegins()
    breakers.requests -= count
  }
  run(4)
  assert.equal(breakers.retriesFull, true)
  run(1)
  assert.equal(breakers.retriesFull, false)
  breakers.retries = 1
  assert.equal(breakers.retriesFull, true)
  Object.assign(breakers, { retries: 0, requests: 100, pending: 100 })
  time.now += 1000
  assert.equal(breakers.retriesFull, true)
})
