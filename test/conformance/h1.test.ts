// HTTP/1.1 MUSTs that keep two parsers from disagreeing (RFC 9112, RFC 9110) and limits, as a table: each case fed whole
// and byte by byte, since a rule that depends on the cut is no rule.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseEvents } from '../support/h1-events.ts'
import type { H1Event, ParseOptions } from '../support/h1-events.ts'

const get = (...lines: string[]): string => `${['GET / HTTP/1.1', 'Host: a', ...lines].join('\r\n')}\r\n\r\n`
const post = (headers: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`
const chunked = (body: string): string => post('Transfer-Encoding: chunked', body)
const answer = (headers: string, body = ''): string => `HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${body}`
const response: ParseOptions = { role: 'response', finish: true }

/** Input, the code it must be refused with, and the status when it is not 400. */
type Refused = readonly [title: string, input: string, code: string, status?: number, options?: ParseOptions]

const refused: readonly Refused[] = [
  // Smuggling by two lengths, RFC 9112 6.3
  ['Content-Length with Transfer-Encoding', post('Content-Length: 4\r\nTransfer-Encoding: chunked'), 'h1/conflicting-lengths'],
  ['Transfer-Encoding with Content-Length', post('Transfer-Encoding: chunked\r\nContent-Length: 4'), 'h1/conflicting-lengths'],
  ['two different Content-Lengths', post('Content-Length: 4\r\nContent-Length: 5'), 'h1/conflicting-lengths'],
  ['two equal Content-Lengths', post('Content-Length: 4\r\nContent-Length: 4'), 'h1/conflicting-lengths'],
  ['a list of equal Content-Lengths', post('Content-Length: 5,5'), 'h1/bad-content-length'],
  ['a response with both lengths', answer('Content-Length: 4\r\nTransfer-Encoding: chunked'), 'h1/conflicting-lengths', 400, response],
  ['a response with two different Content-Lengths', answer('Content-Length: 4\r\nContent-Length: 5'), 'h1/conflicting-lengths', 400, response],
  ['a response with a list of different Content-Lengths', answer('Content-Length: 4, 5'), 'h1/bad-content-length', 400, response],
  ['an HTTP/1.0 response with Transfer-Encoding', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'h1/bad-transfer-encoding', 400, response],
  ['a response with Transfer-Encoding twice', answer('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'), 'h1/bad-transfer-encoding', 400, response],
  ['a response whose chunked is not last', answer('Transfer-Encoding: chunked, gzip'), 'h1/bad-transfer-encoding', 400, response],
  // Content-Length syntax
  ...['', '+5', '-1', '0x10', '5 5', '5;', '1e3', '5.0', '٣', '9007199254740993', '99999999999999999999', '1_000', '"5"'].map(
    (length): Refused => [`Content-Length ${JSON.stringify(length)}`, post(`Content-Length: ${length}`), 'h1/bad-content-length'],
  ),
  ...['', '+5', '-1', '0x10', '5 5', '99999999999999999999'].map((length): Refused => [`a response with Content-Length ${JSON.stringify(length)}`, answer(`Content-Length: ${length}`), 'h1/bad-content-length', 400, response]),
  // Transfer-Encoding
  ...['gzip', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'chunked;a=b', 'xchunked', 'chunke', 'identity', '"chunked"', 'chunked,', ',chunked', ''].map(
    (coding): Refused => [`Transfer-Encoding ${JSON.stringify(coding)}`, post(`Transfer-Encoding: ${coding}`), 'h1/bad-transfer-encoding'],
  ),
  ['two Transfer-Encoding fields', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'), 'h1/bad-transfer-encoding'],
  ['a Transfer-Encoding hidden by a vertical tab', post('Transfer-Encoding: \x0bchunked'), 'h1/bad-header-value'],
  ['Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 'h1/bad-transfer-encoding'],
  ['Transfer-Encoding other than chunked in a response', answer('Transfer-Encoding: gzip'), 'h1/bad-transfer-encoding', 400, response],
  ['Transfer-Encoding in 204', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', 'h1/bad-transfer-encoding', 400, response],
  ['Transfer-Encoding in 1xx', 'HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n', 'h1/bad-transfer-encoding', 400, response],
  // Chunks, RFC 9112 7.1
  ...['-1', '+1', '0x1', ' 1', '1 ', 'g', '', '1 ;a', '\t1', '10000000000000', '00000000000001', 'ffffffffffffffffff', '1\x00', '1;a\x00b', '1;a\nb'].map(
    (size): Refused => [`chunk size ${JSON.stringify(size)}`, chunked(`${size}\r\na\r\n0\r\n\r\n`), 'h1/bad-chunk'],
  ),
  ['a chunk size line that ends in LF only', chunked('1\na\r\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['a chunk size line that ends in CR only', chunked('1\ra\r\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['a chunk longer than its size', chunked('1\r\nab\r\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['a chunk that ends in LF only', chunked('1\r\na\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['a chunk that ends in CR and another byte', chunked('1\r\na\rX0\r\n\r\n'), 'h1/bad-chunk'],
  ['endless chunk extensions', chunked(`1;${'a'.repeat(5000)}\r\na\r\n0\r\n\r\n`), 'h1/bad-chunk'],
  ['many short chunk extensions', chunked('1;abcdefgh\r\na\r\n'.repeat(600)), 'h1/bad-chunk'],
  ...['-1', 'g', '10000000000000', 'ffffffffffffffffff', ''].map((size): Refused => [`chunk size ${JSON.stringify(size)} of a response`, answer('Transfer-Encoding: chunked', `${size}\r\na\r\n0\r\n\r\n`), 'h1/bad-chunk', 400, response]),
  ['a chunk of a response that is longer than its size', answer('Transfer-Encoding: chunked', '1\r\nab\r\n0\r\n\r\n'), 'h1/bad-chunk', 400, response],
  ['a bare LF in a chunk extension', chunked('1;a\nb\r\na\r\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['a bare CR in a chunk extension', chunked('1;a\rb\r\na\r\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['the last chunk line in LF only', chunked('0\n\n'), 'h1/bad-chunk'],
  // Trailers
  ['Content-Length as a trailer', chunked('0\r\nContent-Length: 5\r\n\r\n'), 'h1/bad-header-name'],
  ['Transfer-Encoding as a trailer', chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'), 'h1/bad-header-name'],
  ['Host as a trailer', chunked('0\r\nHost: b\r\n\r\n'), 'h1/bad-header-name'],
  ['Authorization as a trailer', chunked('0\r\nAuthorization: x\r\n\r\n'), 'h1/bad-header-name'],
  ['a space before the colon of a trailer', chunked('0\r\na : b\r\n\r\n'), 'h1/bad-header-name'],
  ['NUL in a trailer', chunked('0\r\na: b\x00c\r\n\r\n'), 'h1/bad-header-value'],
  ['a bare LF in a trailer', chunked('0\r\na: b\nc: d\r\n\r\n'), 'h1/bad-header-value'],
  ['a folded trailer', chunked('0\r\na: b\r\n c\r\n\r\n'), 'h1/obs-fold'],
  ['a trailer section that is too large', chunked(`0\r\na: ${'b'.repeat(9000)}\r\n\r\n`), 'h1/head-too-large', 431],
  // Field lines, RFC 9112 5
  ['obs-fold', get('a: b', ' c: d'), 'h1/obs-fold'],
  ['obs-fold with a tab', get('a: b', '\tc'), 'h1/obs-fold'],
  ['white space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 'h1/obs-fold'],
  ['space before the colon', get('Content-Length : 5'), 'h1/bad-header-name'],
  ['tab before the colon', get('a\t: 5'), 'h1/bad-header-name'],
  ['space before the colon of a response', answer('Content-Length : 5'), 'h1/bad-header-name', 400, response],
  ['obs-fold in a response', answer('a: b\r\n c'), 'h1/obs-fold', 400, response],
  ['white space before the first field of a response', 'HTTP/1.1 200 OK\r\n a: b\r\n\r\n', 'h1/obs-fold', 400, response],
  ['a bare CR in a value of a response', answer('a: b\rc'), 'h1/bad-header-value', 400, response],
  ['a bare LF in a value of a response', answer('a: b\nc: d'), 'h1/bad-header-value', 400, response],
  ['a line without a colon', get('abc'), 'h1/bad-header-name'],
  ['an empty name', get(': a'), 'h1/bad-header-name'],
  ['a name with a space', get('a b: c'), 'h1/bad-header-name'],
  ['a name with a NUL', get('a\x00b: c'), 'h1/bad-header-name'],
  ['a name with a byte over 127', get('\xe9: c'), 'h1/bad-header-name'],
  ['a name in parentheses', get('(a): c'), 'h1/bad-header-name'],
  ['NUL in a value', get('a: b\x00c'), 'h1/bad-header-value'],
  ['escape in a value', get('a: b\x1bc'), 'h1/bad-header-value'],
  ['DEL in a value', get('a: b\x7fc'), 'h1/bad-header-value'],
  ['a bare LF in a value', get('a: b\nc: d'), 'h1/bad-header-value'],
  ['a bare CR in a value', get('a: b\rc: d'), 'h1/bad-header-value'],
  ['a CR twice', get('a: b\r'), 'h1/bad-header-value'],
  ['lines that end in LF only', 'GET / HTTP/1.1\nHost: a\n\n', 'h1/bad-request-line'],
  ['a head that ends in LF only', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 'h1/bad-header-name'],
  ['a head that ends in CR and another byte', 'GET / HTTP/1.1\r\nHost: a\r\n\rX', 'h1/bad-header-name'],
  // One byte that is let pass for another would make these whole
  ['NUL and LF as the end of a field', 'GET / HTTP/1.1\r\nHost: a\r\na: b\x00\nc: d\r\n\r\n', 'h1/bad-header-value'],
  ['LF twice as the end of a field', 'GET / HTTP/1.1\r\nHost: a\r\na: b\n\nc: d\r\n\r\n', 'h1/bad-header-value'],
  ['NUL and LF as the end of a status line', 'HTTP/1.1 200 OK\x00\nContent-Length: 0\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['CR and another byte before a request', '\rXGET / HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a version with another byte than a dot', 'GET / HTTP/1x1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a version with a letter behind the dot', 'GET / HTTP/1.a\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a version with a letter before the dot', 'GET / HTTP/a.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['CR and another byte behind a chunk size', chunked('1\rXa\r\n0\r\n\r\n'), 'h1/bad-chunk'],
  ['another byte and LF behind a chunk', chunked('1\r\nab\n0\r\n\r\n'), 'h1/bad-chunk'],
  // Request line, RFC 9112 3
  ['no version (HTTP/0.9)', 'GET /\r\n\r\n', 'h1/bad-request-line'],
  ['two spaces before the target', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['two spaces after the target', 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a tab between the parts', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a space after the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a control byte in the target', 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['DEL in the target', 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a bare CR in the request line', 'GET /\rHTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a method with a colon', 'GE:T / HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a lower-case version', 'GET / http/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a version without a dot', 'GET / HTTP/11\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a version with two digits', 'GET / HTTP/1.11\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'h1/version-not-supported', 505],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 'h1/version-not-supported', 505],
  ['HTTP/0.9 in words', 'GET / HTTP/0.9\r\nHost: a\r\n\r\n', 'h1/version-not-supported', 505],
  ['a relative target', 'GET a/b HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['an authority as target of GET', 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['an asterisk as target of GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['a scheme that begins with a digit', 'GET 1http://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['CONNECT to a path', 'CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['CONNECT without a port', 'CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-request-line'],
  ['CONNECT to a port that is none', 'CONNECT a:99999 HTTP/1.1\r\nHost: a\r\n\r\n', 'h1/bad-host'],
  ['a TLS ClientHello', '\x16\x03\x01\x02\x00\x01', 'h1/bad-request-line'],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h1/version-not-supported', 505],
  // Host, RFC 9112 3.2
  ['no Host in HTTP/1.1', 'GET / HTTP/1.1\r\n\r\n', 'h1/bad-host'],
  ['two Hosts', get('Host: b'), 'h1/bad-host'],
  ['two equal Hosts', get('Host: a'), 'h1/bad-host'],
  ['two Hosts in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n', 'h1/bad-host'],
  ['a bad Host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a/b\r\n\r\n', 'h1/bad-host'],
  ['no Host, with an absolute target', 'GET http://a/ HTTP/1.1\r\n\r\n', 'h1/bad-host'],
  ['two Hosts, with an absolute target', 'GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 'h1/bad-host'],
  ['no Host, with CONNECT', 'CONNECT a:1 HTTP/1.1\r\n\r\n', 'h1/bad-host'],
  ...['', 'a b', 'a/b', 'a@b', 'a,b', 'a:b', 'a:', 'a:80:80', ':80', 'a:99999', '[::1', '::1', '[::1]80', '[]', 'a#b', 'a?b', '\xe9', 'a\\b', '[a]b:80', 'a]'].filter((host) => host !== 'a:').map(
    (host): Refused => [`Host ${JSON.stringify(host)}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'h1/bad-host'],
  ),
  // Status line, RFC 9112 4
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['a status that begins with zero', 'HTTP/1.1 099 OK\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['a status in letters', 'HTTP/1.1 abc OK\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['an empty line before a response', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['a NUL in the reason', 'HTTP/1.1 200 O\x00K\r\n\r\n', 'h1/bad-status-line', 400, response],
  ['an HTTP/2 response line', 'HTTP/2 200\r\n\r\n', 'h1/version-not-supported', 505, response],
  ['an SSH banner', 'SSH-2.0-OpenSSH\r\n', 'h1/bad-status-line', 400, response],
  // Limits
  ['a head of more than 60 KiB', get(`a: ${'b'.repeat(70_000)}`), 'h1/head-too-large', 431],
  ['a request line of more than 60 KiB', `GET /${'b'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'h1/head-too-large', 431],
  ['a megabyte of method', 'A'.repeat(1_000_000), 'h1/head-too-large', 431],
  ['nothing but empty lines', '\r\n'.repeat(40_000), 'h1/head-too-large', 431],
  ['101 fields', get(...Array.from({ length: 100 }, (_, n) => `a${n}: b`)), 'h1/too-many-headers', 431],
  // Ends
  ['the end in a request line', 'GET / HT', 'h1/unexpected-end', 400, { finish: true }],
  ['the end in a body', post('Content-Length: 5', 'abc'), 'h1/unexpected-end', 400, { finish: true }],
  ['the end before the last chunk', chunked('1\r\na\r\n'), 'h1/unexpected-end', 400, { finish: true }],
  ['the end before the empty line after the last chunk', chunked('0\r\n'), 'h1/unexpected-end', 400, { finish: true }],
  ['the end in a response body', answer('Content-Length: 5', 'abc'), 'h1/unexpected-end', 400, response],
]

describe('what must be refused', () => {
  for (const [title, input, code, status = 400, options = {}] of refused) {
    test(`${title}: ${code}, ${status}`, () => {
      const events = parseEvents(input, options)
      assert.deepEqual(events.at(-1), { error: code, status })
      if (input.length < 100_000) assert.deepEqual(parseEvents(input, { ...options, cuts: everywhere(input) }), events)
    })
  }
})

const one = (head: string, headers: string[], framing: string, keepAlive = true, body = '', end?: string[]): H1Event[] => [
  { head, headers, framing, keepAlive }, ...(body === '' ? [] : [{ body }]), { end },
]
type Accepted = readonly [title: string, input: string, events: readonly H1Event[], options?: ParseOptions]

const accepted: readonly Accepted[] = [
  ['a plain GET', get(), one('GET / 1.1', ['host', 'a'], 'none')],
  ['empty lines before a request', `\r\n\r\n${get()}`, one('GET / 1.1', ['host', 'a'], 'none')],
  ['optional white space around values', get('A:b', 'B: \t c d \t ', 'C:', 'D:   '), one('GET / 1.1', ['host', 'a', 'a', 'b', 'b', 'c d', 'c', '', 'd', ''], 'none')],
  ['names in any case', get('X-FoO_1: a', 'USER-AGENT: b'), one('GET / 1.1', ['host', 'a', 'x-foo_1', 'a', 'user-agent', 'b'], 'none')],
  ['every token byte in a name', get("!#$%&'*+-.^_`|~09azAZ: a"), one('GET / 1.1', ['host', 'a', "!#$%&'*+-.^_`|~09azaz", 'a'], 'none')],
  ['bytes over 127 in values and targets', `GET /\xe9 HTTP/1.1\r\nHost: a\r\na: \xff\r\n\r\n`, one('GET /\xe9 1.1', ['host', 'a', 'a', '\xff'], 'none')],
  ['an unknown method', 'BREW-2 / HTTP/1.1\r\nHost: a\r\n\r\n', one('BREW-2 / 1.1', ['host', 'a'], 'none')],
  ['absolute-form', 'GET http://b:80/c?d HTTP/1.1\r\nHost: a\r\n\r\n', one('GET http://b:80/c?d 1.1', ['host', 'a'], 'none')],
  ['asterisk-form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', one('OPTIONS * 1.1', ['host', 'a'], 'none')],
  ['authority-form', 'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n', one('CONNECT b:443 1.1', ['host', 'b:443'], 'none')],
  ...['a:80', '127.0.0.1:8080', '[::1]', '[::1]:80', 'xn--e1afmkfd.test', 'a_b.c', 'a:'].map(
    (host): Accepted => [`Host ${host}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, one('GET / 1.1', ['host', host], 'none')],
  ),
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', one('GET / 1.0', [], 'none', false)],
  ['HTTP/1.0 with keep-alive', 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', one('GET / 1.0', ['connection', 'Keep-Alive'], 'none', true)],
  ['Connection: close', get('Connection: close'), one('GET / 1.1', ['host', 'a', 'connection', 'close'], 'none', false)],
  ['close in a list', get('Connection: foo, Close'), one('GET / 1.1', ['host', 'a', 'connection', 'foo, Close'], 'none', false)],
  ['Content-Length: 0', post('Content-Length: 0'), one('POST / 1.1', ['host', 'a', 'content-length', '0'], 'length 0')],
  ['a body by length', post('Content-Length: 005', 'hello'), one('POST / 1.1', ['host', 'a', 'content-length', '005'], 'length 5', true, 'hello')],
  ['chunks of any case with extensions', post('Transfer-Encoding: CHUNKED', 'A;x=y;z="q"\r\n0123456789\r\n00b\r\nabcdefghijk\r\n000;last\r\n\r\n'),
    one('POST / 1.1', ['host', 'a', 'transfer-encoding', 'CHUNKED'], 'chunked', true, '0123456789abcdefghijk')],
  ['trailers', chunked('1\r\na\r\n0\r\nX-Sum: 1\r\ny:\r\n\r\n'),
    one('POST / 1.1', ['host', 'a', 'transfer-encoding', 'chunked'], 'chunked', true, 'a', ['x-sum', '1', 'y', ''])],
  ['pipelined requests', post('Content-Length: 1', 'x') + get(), [
    ...one('POST / 1.1', ['host', 'a', 'content-length', '1'], 'length 1', true, 'x'), ...one('GET / 1.1', ['host', 'a'], 'none'),
  ]],
  ['a head of exactly 100 fields', get(...Array.from({ length: 99 }, () => 'a: b')), one('GET / 1.1', ['host', 'a', ...Array.from({ length: 99 }, () => ['a', 'b']).flat()], 'none')],
  ['a response by length', answer('Content-Length: 2', 'ok'), one('200 OK 1.1', ['content-length', '2'], 'length 2', true, 'ok'), response],
  ['a response until the end', answer('a: b', 'all'), one('200 OK 1.1', ['a', 'b'], 'until-close', false, 'all'), response],
  ['a response without a reason', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', one('200  1.1', ['content-length', '0'], 'length 0'), response],
  ['a response without the space before the reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', one('200  1.1', ['content-length', '0'], 'length 0'), response],
  ['an answer to HEAD', answer('Content-Length: 5'), one('200 OK 1.1', ['content-length', '5'], 'none'), { ...response, requestMethod: 'HEAD' }],
  ['an answer to HEAD that would be chunked', answer('Transfer-Encoding: chunked'), one('200 OK 1.1', ['transfer-encoding', 'chunked'], 'none'), { ...response, requestMethod: 'HEAD' }],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', one('304 Not Modified 1.1', ['content-length', '5'], 'none'), response],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', one('204 No Content 1.1', [], 'none'), response],
  ['100 and then the response', `HTTP/1.1 100 Continue\r\n\r\n${answer('Content-Length: 0')}`, [
    { head: '100 Continue 1.1', headers: [], framing: 'none', keepAlive: true }, ...one('200 OK 1.1', ['content-length', '0'], 'length 0'),
  ], response],
  ['Transfer-Encoding of 2xx to CONNECT means nothing', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x00binary', one('200 OK 1.1', ['transfer-encoding', 'chunked'], 'none'), { ...response, requestMethod: 'CONNECT' }],
  ['103, 102 and then the response', `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${answer('Content-Length: 0')}`, [
    { head: '103 Early Hints 1.1', headers: ['link', '</a>'], framing: 'none', keepAlive: true }, { head: '102 Processing 1.1', headers: [], framing: 'none', keepAlive: true }, ...one('200 OK 1.1', ['content-length', '0'], 'length 0'),
  ], response],
  ['205 with a length of 0', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', one('205 Reset Content 1.1', ['content-length', '0'], 'length 0'), response],
  ['an absolute target without a path', 'GET http://b HTTP/1.1\r\nHost: b\r\n\r\n', one('GET http://b 1.1', ['host', 'b'], 'none')],
  ['OPTIONS with an absolute target without a path', 'OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n', one('OPTIONS http://b 1.1', ['host', 'b'], 'none')],
  ['a chunk extension that nobody knows', chunked('1;foo="b;a\tr"\r\na\r\n0;x\r\n\r\n'), one('POST / 1.1', ['host', 'a', 'transfer-encoding', 'chunked'], 'chunked', true, 'a')],
  ['the largest chunk size that means anything', post('Transfer-Encoding: chunked', 'fffffffffffff\r\nabc'), [
    { head: 'POST / 1.1', headers: ['host', 'a', 'transfer-encoding', 'chunked'], framing: 'chunked', keepAlive: true }, { body: 'abc' },
  ]],
  ['101 ends HTTP', 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x00binary', one('101 Switching Protocols 1.1', [], 'none'), response],
  ['2xx to CONNECT ends HTTP', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x00binary', one('200 OK 1.1', ['content-length', '5'], 'none'), { ...response, requestMethod: 'CONNECT' }],
]

describe('what must be understood', () => {
  for (const [title, input, events, options = {}] of accepted) {
    test(title, () => {
      assert.deepEqual(parseEvents(input, options), events)
      assert.deepEqual(parseEvents(input, { ...options, cuts: everywhere(input) }), events)
    })
  }
})

function everywhere(input: string): number[] {
  return Array.from({ length: Math.max(0, input.length - 1) }, (_, n) => n + 1)
}
