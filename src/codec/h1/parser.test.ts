import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../lib/errors.ts'
import { H1Error } from './errors.ts'
import { H1Parser } from './parser.ts'
import type { H1Head } from './types.ts'

const pipelined = Buffer.from('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n')

function collect(role: 'request' | 'response' = 'request', onHead: (head: H1Head) => void = () => {}) {
  const seen: string[] = []
  const parser = new H1Parser(role, {
    onHead: (head) => {
      seen.push(role === 'request' ? head.target : String(head.status))
      onHead(head)
    },
    onBody: (bytes, at, end) => seen.push(`body ${bytes.toString('latin1', at, end)}`),
    onMessageEnd: () => seen.push('end'),
  })
  const feed = (text: string): number => parser.execute(Buffer.from(text, 'latin1'), 0, text.length)
  return { parser, seen, feed }
}

test('a pause takes effect after the message, and what was not taken is taken after resume', () => {
  const { parser, seen } = collect('request', () => parser.pause())
  const taken = parser.execute(pipelined, 0, pipelined.length)
  assert.equal(taken, pipelined.length / 2)
  assert.equal(parser.execute(pipelined, taken, pipelined.length), 0)
  assert.deepEqual(seen, ['/a', 'end'])
  parser.resume()
  assert.equal(parser.execute(pipelined, taken, pipelined.length), pipelined.length - taken)
  assert.deepEqual(seen, ['/a', 'end', '/b', 'end'])
})

test('a paused parser still finishes the message that has begun', () => {
  const { parser, seen, feed } = collect()
  feed('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
  parser.pause()
  assert.equal(feed('cdGET'), 2)
  assert.deepEqual(seen, ['/a', 'body ab', 'body cd', 'end'])
})

test('bytes outside the given range are not looked at', () => {
  const { parser, seen } = collect()
  const bytes = Buffer.from('XXGET /a HTTP/1.1\r\nHost: a\r\n\r\nXX')
  assert.equal(parser.execute(bytes, 2, bytes.length - 2), bytes.length - 4)
  assert.deepEqual(seen, ['/a', 'end'])
  assert.ok(parser.idle)
})

test('after an error every call throws that error again', () => {
  const { feed, parser } = collect()
  assert.throws(() => feed('GET / HTTP/1.1\r\nbad\r\n'), (error) => error instanceof H1Error && error.status === 400)
  assert.throws(() => feed('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), (error) => hasCode(error, 'h1/bad-header-name'))
  assert.throws(() => parser.finish(), (error) => hasCode(error, 'h1/bad-header-name'))
})

test('it is idle between messages only', () => {
  const { parser, feed } = collect()
  assert.ok(parser.idle)
  feed('G')
  assert.ok(!parser.idle)
  feed('ET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.ok(parser.idle)
  parser.finish()
})

test('headers may be kept and edited while the next message is read', () => {
  const kept: H1Head['headers'][] = []
  const { feed } = collect('request', (head) => kept.push(head.headers))
  feed('GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n')
  kept[0]!.set('x', 'edited')
  feed('GET / HTTP/1.1\r\nHost: b\r\nX: 2\r\n\r\n')
  assert.deepEqual(kept.map((list) => [...list.flat]), [['host', 'a', 'x', 'edited'], ['host', 'b', 'x', '2']])
})

for (const [title, headers, upgrade] of [
  ['with Connection: upgrade', 'Connection: keep-alive, Upgrade\r\nUpgrade: websocket', 'websocket'],
  ['without Connection', 'Upgrade: h2c', ''],
  ['with a Connection that does not name it', 'Connection: close\r\nUpgrade: h2c', ''],
] as const) {
  test(`an Upgrade field ${title} is reported as ${JSON.stringify(upgrade)}`, () => {
    let found: string | undefined
    const { feed } = collect('request', (head) => (found = head.upgrade))
    feed(`GET / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`)
    assert.equal(found, upgrade)
  })
}

for (const [value, version, expected] of [['100-continue', '1.1', true], ['100-Continue', '1.1', true], ['100-continue', '1.0', false], ['cake', '1.1', false]] as const) {
  test(`Expect: ${value} in HTTP/${version} ${expected ? 'asks' : 'does not ask'} for 100`, () => {
    let found: boolean | undefined
    const { feed } = collect('request', (head) => (found = head.expectContinue))
    feed(`POST / HTTP/${version}\r\nHost: a\r\nExpect: ${value}\r\n\r\n`)
    assert.equal(found, expected)
  })
}

test('after 101 the parser takes nothing more: the bytes are another protocol', () => {
  const { parser, seen, feed } = collect('response')
  const head = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
  assert.equal(feed(`${head}\x81\x00`), head.length)
  assert.ok(parser.tunnel)
  assert.deepEqual(seen, ['101', 'end'])
})

test('the method that a response answers holds across informational responses', () => {
  const { parser, seen, feed } = collect('response')
  parser.expectResponseTo('HEAD')
  feed('HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
  assert.deepEqual(seen, ['103', '200', 'end'])
  assert.ok(parser.idle)
})
