// RFC 9112 on real sockets, with the proxy whole: what a server may answer that it should not, and what becomes of the two
// connections; what a client may send behind its last request; forms of the target. Nothing that was one message becomes two.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpWorld } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import type { SeenRequest } from '../support/raw-peer.ts'

interface Bad {
  readonly title: string
  readonly method?: string
  /** The whole of it, for the first request; later ones are answered well. */
  readonly answer: string
  /** Whether the server closes after it. */
  readonly closes?: boolean
  /** What the client of the proxy gets. */
  readonly sees: RegExp
  /** The client is told by the end of its connection that the answer is not whole. */
  readonly cut?: boolean
  /** The connection to the server is used again. */
  readonly stays?: boolean
}

const evil = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'
const refused = /^HTTP\/1\.1 502 /
const bad = (title: string, head: string, body = '', more: Partial<Bad> = {}): Bad => ({ title, answer: `HTTP/1.1 ${head}\r\n\r\n${body}`, sees: refused, ...more })

/** By section of RFC 9112. */
const answers: readonly Bad[] = [
  // Two lengths, none, and wrong ones
  bad('6.3: both lengths', '200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked', '3\r\nabc\r\n0\r\n\r\n'),
  bad('6.3: two different lengths', '200 OK\r\ncontent-length: 3\r\ncontent-length: 4', 'abcd'),
  bad('6.3: a length that is none', '200 OK\r\ncontent-length: three', 'abc'),
  bad('6.1: a coding that is not chunked', '200 OK\r\ntransfer-encoding: gzip', 'abc'),
  bad('6.1: Transfer-Encoding in 204', '204 No Content\r\ntransfer-encoding: chunked', '0\r\n\r\n'),
  bad('6.1: Transfer-Encoding in 1xx', '103 Early Hints\r\ntransfer-encoding: chunked', '0\r\n\r\n'),
  { title: '6.1: Transfer-Encoding in HTTP/1.0', answer: 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', sees: refused },
  // Incomplete
  bad('8: a body that ends too soon', '200 OK\r\ncontent-length: 10', 'abc', { closes: true, sees: /^HTTP\/1\.1 200 .*abc$/s, cut: true }),
  bad('8: chunks without the last one', '200 OK\r\ntransfer-encoding: chunked', '3\r\nabc\r\n', { closes: true, sees: /^HTTP\/1\.1 200 .*3\r\nabc\r\n$/s, cut: true }),
  { title: '8: a head that ends too soon', answer: 'HTTP/1.1 200 OK\r\ncontent-le', closes: true, sees: /^HTTP\/1\.1 50[23] / },
  // Broken
  bad('7.1: a chunk size that is none', '200 OK\r\ntransfer-encoding: chunked', 'xyz\r\nabc\r\n', { sees: /^(?!.*xyz)HTTP\/1\.1 (?:200|502) /s, cut: true }),
  bad('7.1: a chunk longer than its size', '200 OK\r\ntransfer-encoding: chunked', '1\r\nabc\r\n0\r\n\r\n', { sees: /^(?!.*abc)HTTP\/1\.1 (?:200|502) /s, cut: true }),
  bad('5.1: a space before the colon', '200 OK\r\ncontent-length : 3', 'abc'),
  bad('5.2: a folded field', '200 OK\r\nx-a: b\r\n c\r\ncontent-length: 0'),
  bad('2.2: a bare CR', '200 OK\r\nx-a: b\rset-cookie: evil\r\ncontent-length: 0'),
  bad('2.2: a bare LF', '200 OK\r\nx-a: b\nset-cookie: evil\r\ncontent-length: 0'),
  { title: '2.2: a line before the status line', answer: '\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', sees: refused },
  { title: '2.3: a version that is none', answer: 'HTTP/3.0 200 OK\r\ncontent-length: 0\r\n\r\n', sees: refused },
  bad('4: a status that is none', '2000 OK\r\ncontent-length: 0'),
  bad('5: NUL in a value', '200 OK\r\nx-a: b\0c\r\ncontent-length: 0'),
  bad('5: more fields than are taken', `200 OK\r\n${'x-a: b\r\n'.repeat(150)}content-length: 0`),
  bad('5: a head that is too large', `200 OK\r\nx-a: ${'b'.repeat(80_000)}\r\ncontent-length: 0`),
  bad('9110 15.2.2: 101 that nobody asked for', '101 Switching Protocols\r\nupgrade: foo\r\nconnection: upgrade', evil),
  // More than the answer has: it is never an answer to the next request
  bad('6.3: more behind a body', '200 OK\r\ncontent-length: 3', `abc${evil}`, { sees: /^HTTP\/1\.1 200 .*abc$/s }),
  bad('6.3: more behind the last chunk', '200 OK\r\ntransfer-encoding: chunked', `3\r\nabc\r\n0\r\n\r\n${evil}`, { sees: /^HTTP\/1\.1 200 .*abc\r\n0\r\n\r\n$/s }),
  bad('6.3: a body of 204', '204 No Content', evil, { sees: /^HTTP\/1\.1 204 / }),
  bad('6.3: a body of 304', '304 Not Modified\r\ncontent-length: 3', `abc${evil}`, { sees: /^HTTP\/1\.1 304 / }),
  bad('6.3: a body for HEAD', '200 OK\r\ncontent-length: 3', `abc${evil}`, { method: 'HEAD', sees: /^HTTP\/1\.1 200 .*\r\n\r\n$/s }),
  bad('9.2: an answer behind the answer', '200 OK\r\ncontent-length: 0', evil, { sees: /^HTTP\/1\.1 200 .*\r\n\r\n$/s }),
  // Good ones that look odd
  bad('6.3: no length at all: until the end', '200 OK', 'abc', { closes: true, sees: /^HTTP\/1\.1 200 .*abc\r\n0\r\n\r\n$/s }),
  bad('9.6: close', '200 OK\r\nconnection: close\r\ncontent-length: 3', 'abc', { sees: /abc$/ }),
  { title: '9110 15.2: 102 and 103 before the answer', answer: `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok('abc')}`, sees: /200 .*abc$/s, stays: true },
  bad('7.1.1: chunk extensions', '200 OK\r\ntransfer-encoding: chunked', '3;a="b;c"\r\nabc\r\n0;x\r\n\r\n', { sees: /\r\n3\r\nabc\r\n0\r\n\r\n$/, stays: true }),
  bad('4: no reason phrase', '299\r\ncontent-length: 3', 'abc', { sees: /^HTTP\/1\.1 299 [^\r]*\r\n.*abc$/s, stays: true }),
]

describe('RFC 9112: what a server answers', () => {
  for (const { title, method = 'GET', answer, closes = false, sees, cut = false, stays = false } of answers) {
    test(title, async () => {
      await using peer = await RawPeer.start(({ number, connection }: SeenRequest) => {
        if (number > 1) return ok('fine')
        connection.send(answer)
        if (closes) connection.socket.end()
        return undefined
      })
      await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
      await using client = await world.client()
      client.send(`${method} /first HTTP/1.1\r\nHost: a\r\n\r\n`)
      await client.until(() => sees.test(client.text))
      if (cut) await client.until(() => client.state !== 'open')
      assert.match(client.text, sees)
      assert.doesNotMatch(client.text, /evil/)
      assert.match(await world.exchange('GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /fine$/)
      if (!cut) {
        client.take()
        client.send('GET /third HTTP/1.1\r\nHost: a\r\n\r\n')
        assert.match(await client.has('fine'), /^HTTP\/1\.1 200 .*\r\n\r\nfine$/s)
      }
      assert.equal(peer.requests.find(({ line }) => line.includes('/second'))!.connection === peer.requests[0]!.connection, stays, 'the connection to the server')
    })
  }
})

/** What a client sends, which requests a server sees, and how many answers there are. */
const requests: readonly (readonly [title: string, sent: string, seen: readonly string[], answers: number, last?: RegExp])[] = [
  ['9.6: nothing behind Connection: close is a request', 'GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n', ['/1'], 1],
  ['9.6: nothing behind a request that was refused is one', 'GET /1 HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n', [], 1, /^HTTP\/1\.1 400 .*connection: close/s],
  ['6.1: nothing behind one with two lengths is one', 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n', [], 1, /^HTTP\/1\.1 400 .*connection: close/s],
  ['7.1: nothing behind a broken chunk is one', 'POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n', [], 1, /^HTTP\/1\.1 400 .*connection: close/s],
  ['2.2: an empty line between two is passed over', 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', ['/1', '/2'], 2],
  ['9.3.2: answers come in the order of the requests', 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', ['/1', '/2', '/3'], 3],
  ['6.3: a body of GET is a body', 'GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 37\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n      GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', ['/1', '/2'], 2],
  ['6.3: so is one of DELETE in chunks', 'DELETE /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', ['/1', '/2'], 2],
]

describe('RFC 9112: what a client sends, one behind the other', () => {
  for (const [title, sent, seen, count, last] of requests) {
    test(title, async () => {
      await using peer = await RawPeer.start(({ line }) => ok(line.startsWith('HEAD') ? '' : line.split(' ')[1]!))
      await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
      const text = await world.exchange(sent)
      assert.deepEqual(peer.requests.map(({ line }) => line.split(' ')[1]), seen)
      assert.equal(text.split('HTTP/1.1 ').length - 1, count, text)
      if (last !== undefined) assert.match(text, last)
    })
  }
})

/** Target and Host as they are sent, and as the server sees them. */
const targets: readonly (readonly [title: string, line: string, host: string, seen: string, seenHost: string])[] = [
  ['3.2.1: origin-form', 'GET /a?b=c', 'a.test', 'GET /a?b=c HTTP/1.1', 'a.test'],
  ['3.2.2: absolute-form says who is asked, whatever Host says', 'GET http://b.test:81/a', 'a.test', 'GET /a HTTP/1.1', 'b.test:81'],
  ['3.2.2: absolute-form without a path', 'GET http://b.test', 'b.test', 'GET / HTTP/1.1', 'b.test'],
  ['3.2.2: absolute-form with a query and no path', 'GET http://b.test?x=y', 'b.test', 'GET /?x=y HTTP/1.1', 'b.test'],
  ['3.2: an IPv6 Host', 'GET /', '[::1]:8080', 'GET / HTTP/1.1', '[::1]:8080'],
]

describe('RFC 9112 section 3.2: targets', () => {
  for (const [title, line, host, seen, seenHost] of targets) {
    test(title, async () => {
      await using peer = await RawPeer.start(() => ok('x'))
      await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
      assert.match(await world.exchange(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 200 /)
      assert.deepEqual([peer.requests[0]!.line, peer.requests[0]!.headers.get('host')], [seen, seenHost])
      assert.equal(peer.requests[0]!.head.split(/\r\nhost:/i).length, 2, 'one Host')
    })
  }

  for (const [title, line] of [['3.2.3: authority-form', 'CONNECT a.test:80'], ['3.2.4: asterisk-form', 'OPTIONS *']] as const) {
    test(`${title} finds no route, and nothing is handed on`, async () => {
      await using peer = await RawPeer.start(() => ok('x'))
      await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
      assert.match(await world.exchange(`${line} HTTP/1.1\r\nHost: a.test:80\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 404 /)
      assert.equal(peer.requests.length, 0)
    })
  }
})
