import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Suspicion, failuresUntilSuspect } from './suspect.ts'

function suspected(now: number): Suspicion {
  const suspicion = new Suspicion()
  for (let i = 0; i < failuresUntilSuspect; i++) suspicion.failed(now)
  return suspicion
}

test('a host is suspect after so many failures in a row, not before', () => {
  const suspicion = new Suspicion()
  const told = Array.from({ length: failuresUntilSuspect }, () => suspicion.failed(0))
  assert.deepEqual(told, [false, false, true])
  assert.equal(suspicion.isSuspect(0), true)
  assert.equal(suspicion.until, 1_000)
})

test('a connection in between starts the count anew', () => {
  const suspicion = new Suspicion()
  suspicion.failed(0)
  suspicion.failed(0)
  assert.equal(suspicion.connected(), false)
  suspicion.failed(0)
  suspicion.failed(0)
  assert.equal(suspicion.isSuspect(0), false)
})

test('while it is suspect, failures that come late change nothing', () => {
  const suspicion = suspected(0)
  assert.equal(suspicion.failed(500), false)
  assert.equal(suspicion.until, 1_000)
})

test('each failed return doubles the pause, up to half a minute', () => {
  const suspicion = suspected(0)
  const pauses: number[] = []
  for (let i = 0; i < 8; i++) {
    const now = suspicion.until
    assert.equal(suspicion.isSuspect(now), false)
    assert.equal(suspicion.failed(now), true, 'one failure is enough after the first time')
    pauses.push(suspicion.until - now)
  }
  assert.deepEqual(pauses, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000])
})

test('one connection that succeeds restores it fully', () => {
  const suspicion = suspected(0)
  assert.equal(suspicion.connected(), true)
  assert.equal(suspicion.isSuspect(0), false)
  assert.equal(suspicion.failed(0), false)
})
