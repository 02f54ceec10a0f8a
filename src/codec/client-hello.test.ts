import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findClientHello } from './client-hello.ts'

const number = (size: number, value: number): Buffer => {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}
const block = (size: number, ...parts: Buffer[]): Buffer => {
  const inner = Buffer.concat(parts)
  return Buffer.concat([number(size, inner.length), inner])
}
const extension = (type: number, ...parts: Buffer[]): Buffer => Buffer.concat([number(2, type), block(2, ...parts)])
const serverName = (name: string): Buffer => extension(0, block(2, number(1, 0), block(2, Buffer.from(name))))
const alpn = (...names: string[]): Buffer => extension(16, block(2, ...names.map((name) => block(1, Buffer.from(name)))))

function hello(...extensions: Buffer[]): Buffer {
  const start = [number(2, 0x303), Buffer.alloc(32, 7), block(1, Buffer.alloc(32)), block(2, number(2, 0x1301)), block(1, number(1, 0))]
  const message = Buffer.concat([number(1, 1), block(3, ...start, ...(extensions.length === 0 ? [] : [block(2, ...extensions)]))])
  return Buffer.concat([number(1, 22), number(2, 0x301), block(2, message)])
}

test('server name and ALPN are found among other extensions', () => {
  const bytes = hello(extension(43, Buffer.alloc(3)), serverName('Reviews.Default'), alpn('istio-http/1.1', 'istio'), extension(51, Buffer.alloc(1200)))
  assert.deepEqual(findClientHello(bytes), { kind: 'hello', serverName: 'reviews.default', alpn: ['istio-http/1.1', 'istio'] })
})

test('a hello without extensions, or without these, is a hello', () => {
  for (const bytes of [hello(), hello(extension(43, Buffer.alloc(3)))]) assert.deepEqual(findClientHello(bytes), { kind: 'hello', serverName: '', alpn: [] })
})

test('every shorter piece of a hello is incomplete, and what follows it does not matter', () => {
  const bytes = hello(serverName('a.test'), alpn('h2'))
  for (let length = 0; length < bytes.length; length++) assert.equal(findClientHello(bytes.subarray(0, length)).kind, 'incomplete', `${length} bytes`)
  assert.equal(findClientHello(Buffer.concat([bytes, Buffer.from('rest')])).kind, 'hello')
})

const notTls: readonly [title: string, bytes: Buffer][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['an alert record', Buffer.from([21, 3, 1, 0, 2, 1, 0])],
  ['a record of another major version', Buffer.from([22, 2, 0])],
  ['a server hello', Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0])],
  ['a record that is too long', Buffer.from([22, 3, 1, 0xff, 0xff, 1])],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0, 1])],
  ['a message longer than its record', Buffer.from([22, 3, 1, 0, 5, 1, 0, 1, 0, 0])],
]
for (const [title, bytes] of notTls) {
  test(`${title} is not a ClientHello`, () => assert.equal(findClientHello(bytes).kind, 'not-tls'))
}

test('lengths that lie never read past the message', () => {
  const bytes = hello(serverName('a.test'), alpn('h2'))
  for (let at = 5; at < bytes.length; at++) {
    const broken = Buffer.from(bytes)
    broken[at] = 255
    assert.ok(['hello', 'not-tls', 'incomplete'].includes(findClientHello(broken).kind))
  }
  const longName = hello(extension(0, number(2, 500), number(1, 0), number(2, 400)))
  assert.equal(findClientHello(longName).kind, 'not-tls')
})
