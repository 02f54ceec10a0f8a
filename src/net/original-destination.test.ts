import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OriginalDestinations, ipv6At } from './original-destination.ts'
import type { SocketOptions } from './socket-options.ts'

/** A kernel that answers with these bytes, and notes what it was asked. */
function kernel(answer: readonly number[] | undefined): { readonly options: SocketOptions; readonly asked: string[] } {
  const asked: string[] = []
  const fail = (): never => assert.fail('not asked that')
  const read: SocketOptions['read'] = (fd, { name }, into) => {
    asked.push(`${name} of ${fd}`)
    if (answer === undefined) return -1
    into.set(answer)
    return answer.length
  }
  return { asked, options: { set: fail, get: fail, getNumber: fail, create: fail, read } }
}

test('the original destination of IPv4 is read from a sockaddr_in', () => {
  const { options, asked } = kernel([2, 0, 0x1f, 0x90, 10, 96, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0])
  assert.deepEqual(new OriginalDestinations(options).of(7, false), { host: '10.96.0.255', port: 8080 })
  assert.deepEqual(asked, ['SO_ORIGINAL_DST of 7'])
})

test('the original destination of IPv6 is read from a sockaddr_in6', () => {
  const { options, asked } = kernel([10, 0, 0, 80, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0])
  assert.deepEqual(new OriginalDestinations(options).of(7, true), { host: 'fd00::9', port: 80 })
  assert.deepEqual(asked, ['IP6T_SO_ORIGINAL_DST of 7'])
})

test('a connection that connection tracking does not know has none, nor has one with half an answer', () => {
  assert.equal(new OriginalDestinations(kernel(undefined).options).of(7, false), undefined)
  assert.equal(new OriginalDestinations(kernel([2, 0, 0, 80]).options).of(7, false), undefined)
  assert.equal(new OriginalDestinations(kernel([2, 0, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]).options).of(7, true), undefined)
})

const spellings: readonly (readonly [words: readonly number[], text: string])[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0], '::'],
  [[0, 0, 0, 0, 0, 0, 0, 1], '::1'],
  [[0xfd00, 0, 0, 0, 0, 0, 0, 0], 'fd00::'],
  [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], '2001:db8:0:1:1:1:1:1'],
  [[0x2001, 0, 0, 1, 0, 0, 0, 1], '2001:0:0:1::1'],
  [[0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], '2001:db8::1:0:0:1'],
  [[1, 2, 3, 4, 5, 6, 7, 0xabcd], '1:2:3:4:5:6:7:abcd'],
]

for (const [words, text] of spellings) {
  test(`an IPv6 address is spelt ${text}, as everywhere`, () => {
    const bytes = Buffer.alloc(18)
    words.forEach((word, i) => bytes.writeUInt16BE(word, 2 + 2 * i))
    assert.equal(ipv6At(bytes, 2), text)
  })
}
