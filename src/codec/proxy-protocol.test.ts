import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyHead } from './proxy-protocol.ts'

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
