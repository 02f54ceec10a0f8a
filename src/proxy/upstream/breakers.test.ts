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

test('threads that count side by side have one limit, and each gives back only what it took', () => {
  const cells = new Int32Array(new SharedArrayBuffer(4 * 3 * 4))
  const limits = { maxConnections: 5, maxPendingRequests: 1, maxRequests: 3, maxRetries: 1, retryBudget: undefined }
  const [one, two] = [0, 1].map((thread) => new Breakers(limits, Date.now, { cells, at: 4, threads: 2, thread })) as [Breakers, Breakers]
  one.requestBegins()
  one.requestBegins()
  two.requestBegins()
  two.connections += 4
  two.retries++
  assert.deepEqual([one.requestsFull, two.requestsFull, one.connectionsFull, one.retriesFull, one.pendingFull], [true, true, false, true, false])
  one.requests--
  one.connections++
  assert.deepEqual([one.requestsFull, two.requestsFull, one.connectionsFull, two.connectionsFull], [false, false, true, true])
  assert.deepEqual([...cells], [0, 0, 0, 0, 1, 0, 1, 0, 4, 0, 1, 1])
})

test('a retry budget over an interval is shared by what each thread has begun', () => {
  const cells = new Int32Array(new SharedArrayBuffer(4 * 2 * 4))
  const limits = { ...defaultBreakerLimits, retryBudget: { percent: 50, minConcurrency: 2, intervalMs: 1000 } }
  const [one, two] = [0, 1].map((thread) => new Breakers(limits, () => 1_000_000, { cells, at: 0, threads: 2, thread })) as [Breakers, Breakers]
  for (let i = 0; i < 6; i++) one.requestBegins()
  one.retries = 2
  two.retries = 1
  assert.deepEqual([one.retriesFull, two.retriesFull], [false, true])
})
