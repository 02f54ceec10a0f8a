import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyHead, readProxyHead } from './proxy-protocol.ts'

const at = (host: string, port: number) => ({ host, port })
const magic = '0d0a0d0a000d0a515549540a'

const texts: [string, string, string][] = [
  ['10.0.0.1', '10.0.0.2', 'PROXY TCP4 10.0.0.1 10.0.0.2 50000 443\r\n'],
  ['::1', 'fe80::2', 'PROXY TCP6 ::1 fe80::2 50000 443\r\n'],
  ['::ffff:10.0.0.1', '10.0.0.2', 'PROXY TCP4 10.0.0.1 10.0.0.2 50000 443\r\n'],
  ['10.0.0.1', '::1', 'PROXY UNKNOWN\r\n'],
  ['unix:///a', 'unix:///b', 'PROXY UNKNOWN\r\n'],
]
for (const [from, to, text] of texts) {
  test(`version 1 from ${from} to ${to}`, () => assert.equal(proxyHead('v1', at(from, 50_000), at(to, 443)).toString('latin1'), text))
}

const bytes: [string, string, string][] = [
  ['10.0.0.1', '10.0.0.2', '2111000c0a0000010a000002c35001bb'],
  ['::1', 'fe80::1:2', `21210024${'0'.repeat(31)}1fe80${'0'.repeat(20)}00010002c35001bb`],
  ['1:2:3:4:5:6:7:8', '::ffff:0:1.2.3.4', '2121002400010002000300040005000600070008' + '0000000000000000ffff000001020304' + 'c35001bb'],
  ['10.0.0.1', '::1', '20000000'],
]
for (const [from, to, hex] of bytes) {
  test(`version 2 from ${from} to ${to}`, () => assert.equal(proxyHead('v2', at(from, 50_000), at(to, 443)).toString('hex'), magic + hex))
}

for (const version of ['v1', 'v2'] as const) {
  for (const [from, to] of [['10.0.0.1', '10.0.0.2'], ['::1', 'fe80::1:2'], ['10.0.0.1', '::1']] as const) {
    test(`what is written in ${version} from ${from} to ${to} is read, however it is cut, and not a byte more`, () => {
      const head = proxyHead(version, at(from, 50_000), at(to, 443))
      const expected = to === '::1' ? { kind: 'unsaid', length: head.length } : { kind: 'said', length: head.length, from: at(from, 50_000), to: at(to, 443) }
      for (let cut = 0; cut < head.length; cut++) assert.deepEqual(readProxyHead(head.subarray(0, cut)), { kind: 'incomplete' }, String(cut))
      assert.deepEqual(readProxyHead(Buffer.concat([head, Buffer.from('GET / HTTP/1.1')])), expected)
    })
  }
}

const malformed: [string, Buffer, RegExp][] = [
  ['a request', Buffer.from('GET / HTTP/1.1\r\n'), /no PROXY head/],
  ['a word alike', Buffer.from('PROXX TCP4 '), /no PROXY head/],
  ['a line without an end', Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}`), /does not end/],
  ['a line whose end comes too late', Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}\r\n`), /does not end/],
  ['another family', Buffer.from('PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n'), /says nothing/],
  ['a missing port', Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n'), /says nothing/],
  ['a port that is none', Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 70000\r\n'), /none/],
  ['an address that is none', Buffer.from('PROXY TCP4 1.1.1.300 2.2.2.2 1 2\r\n'), /none/],
  ['an address of the other family', Buffer.from('PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n'), /none/],
  ['colons that are no address', Buffer.from('PROXY TCP6 :::: ::1 1 2\r\n'), /none/],
  ['version 3', Buffer.from(`${magic}31110000`, 'hex'), /version and command/],
  ['a head that is too short for its addresses', Buffer.from(`${magic}211100040a000001`, 'hex'), /too short/],
  ['a head that has no end in sight', Buffer.from(`${magic}2111ffff`, 'hex'), /of 65551 bytes/],
]
for (const [title, head, reason] of malformed) {
  test(`${title} is no head of the PROXY protocol`, () => {
    const read = readProxyHead(head)
    assert.equal(read.kind, 'bad')
    assert.match(read.kind === 'bad' ? read.reason : '', reason)
  })
}

test('a head that names nobody is passed over with what it carries', () => {
  assert.deepEqual(readProxyHead(Buffer.from('PROXY UNKNOWN ff:: ff:: 1 2\r\nx')), { kind: 'unsaid', length: 29 })
  assert.deepEqual(readProxyHead(Buffer.from(`${magic}20000003aabbcc99`, 'hex')), { kind: 'unsaid', length: 19 })
  assert.deepEqual(readProxyHead(Buffer.from(`${magic}2131000400000000`, 'hex')), { kind: 'unsaid', length: 20 })
})

test('extensions behind the addresses are passed over', () => {
  const read = readProxyHead(Buffer.from(`${magic}2111000f0a0000010a000002c35001bb040000`, 'hex'))
  assert.deepEqual(read, { kind: 'said', length: 31, from: at('10.0.0.1', 50_000), to: at('10.0.0.2', 443) })
})
