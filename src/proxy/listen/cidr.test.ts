import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contains, isLoopback, parseCidr, parseIp } from './cidr.ts'

const inside = (ip: string, prefix: string, length: number): boolean =>
  contains(parseCidr(prefix, length)!, parseIp(ip)!)

test('ranges hold the addresses of their own family', () => {
  assert.ok(inside('10.1.2.3', '10.0.0.0', 8))
  assert.ok(inside('10.1.2.3', '10.9.9.9', 8), 'host bits of the prefix do not count')
  assert.ok(!inside('11.1.2.3', '10.0.0.0', 8))
  assert.ok(inside('1.2.3.4', '0.0.0.0', 0))
  assert.ok(!inside('::1', '0.0.0.0', 0))
  assert.ok(inside('2001:db8::7', '2001:db8::', 32))
  assert.ok(inside('::ffff:10.1.2.3', '10.0.0.0', 8), 'a dual-stack socket names IPv4 peers so')
})

test('every way to write an IPv6 address reads the same', () => {
  const bits = parseIp('2001:db8:0:0:0:0:0:1')!.bits
  for (const text of ['2001:db8::1', '2001:DB8:0::1', '2001:db8::0:1%eth0', '2001:db8::0.0.0.1']) {
    assert.equal(parseIp(text)?.bits, bits, text)
  }
})

test('what is no address is no address', () => {
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.256', '1.2.3.4.', ':::', '1::2::3', '1:2:3:4:5:6:7:8:9', 'g::1']) {
    assert.equal(parseIp(text), undefined, text)
  }
  assert.equal(parseCidr('10.0.0.0', 33), undefined)
})

test('loopback is known in both families', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(host), host)
  assert.ok(!isLoopback('10.0.0.1'))
})
