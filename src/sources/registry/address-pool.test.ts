import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressPool, processRange, serviceEntryRange } from './address-pool.ts'

const none: ReadonlySet<string> = new Set()
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `default/service-${index}`)

test('a name has the same address in every process, in whatever order names come', () => {
  const one = new AddressPool(serviceEntryRange).assign(names(1000), none)
  const other = new AddressPool(serviceEntryRange).assign(names(1000).toReversed(), none)
  assert.deepEqual(Object.fromEntries(one), Object.fromEntries(other))
  assert.equal(new Set(one.values()).size, 1000)
  for (const address of one.values()) assert.match(address, /^240\.240\.\d+\.\d+$/)
})

test('an address stays while others come and go', () => {
  const pool = new AddressPool('10.0.0.0/24')
  const before = pool.assign(names(50), none)
  const after = pool.assign([...names(40), ...Array.from({ length: 60 }, (_, index) => `new/${index}`)], none)
  for (const name of names(40)) assert.equal(after.get(name), before.get(name))
  assert.equal(new Set(after.values()).size, 100)
})

test('an address that somebody has already is not given, and is given up when somebody takes it', () => {
  const pool = new AddressPool(processRange)
  const first = pool.assign(['default/a'], none).get('default/a')!
  const second = pool.assign(['default/a'], new Set([first])).get('default/a')!
  assert.notEqual(second, first)
  assert.equal(pool.assign(['default/a'], none).get('default/a'), second)
})

test('neither the first nor the last address of a range is given, and no more than half of it', () => {
  const given = new AddressPool('10.0.0.0/28').assign(names(100), none)
  assert.equal(given.size, 8)
  for (const address of given.values()) assert.ok(!['10.0.0.0', '10.0.0.15'].includes(address) && address.startsWith('10.0.0.'), address)
})

test('similar names are spread over the whole range', () => {
  const given = new AddressPool(processRange).assign(names(256), none)
  const thirds = new Set([...given.values()].map((address) => address.split('.')[2]))
  assert.ok(thirds.size > 128, `${thirds.size} different third bytes`)
})
