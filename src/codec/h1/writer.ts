// Builds HTTP/1.1 heads and chunk framing as latin1 strings. Names and values must be clean already: what the parser
// read is; for text from elsewhere there are isFieldName and isFieldValue in characters.ts.
import { cutTo } from '../header-list.ts'
import type { HeaderList } from '../header-list.ts'
import { hasToken } from './field-value.ts'

/** A body of unknown length: chunked. */
export const chunkedBody = -1
/** No body, and no field that says so: GET requests, 1xx, 204, 304 and answers to HEAD that name their own length. */
export const noBody = -2

/** What the message says about the connection after it; `default` is keep-alive in HTTP/1.1, and silent. */
export type Persistence = 'default' | 'close' | 'keep-alive'

/** `headers` go as they stand, so without Host, Connection, Content-Length and Transfer-Encoding. */
export function requestHead(
  method: string,
  target: string,
  host: string,
  headers: HeaderList,
  bodyLength: number,
  persistence: Persistence = 'default',
): string {
  return `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n${fields(headers)}${framing(bodyLength, persistence)}`
}

/** An empty reason takes the usual one. `headers` as above. */
export function responseHead(
  status: number,
  reason: string,
  headers: HeaderList,
  bodyLength: number,
  persistence: Persistence = 'default',
): string {
  const line = reason === '' ? `HTTP/1.1 ${status} ${reasonOf(status)}\r\n` : `HTTP/1.1 ${status} ${reason}\r\n`
  return line + fields(headers) + framing(bodyLength, persistence)
}

export const continueHead = 'HTTP/1.1 100 Continue\r\n\r\n'

/** Goes before a chunk's bytes; `chunkEnd` goes after them. A chunk of length 0 would end the body: never write one. */
export function chunkStart(length: number): string {
  return `${length.toString(16)}\r\n`
}

export const chunkEnd = '\r\n'

/** Ends a chunked body. */
export function lastChunk(trailers: HeaderList | undefined): string {
  return trailers === undefined ? '0\r\n\r\n' : `0\r\n${fields(trailers)}\r\n`
}

/**
 * Removes the fields that are between us and the last hop only (RFC 9110 §7.6.1), those that Connection names included.
 * `te: trailers` stays, since trailers are handed on. Host and framing fields that Connection names are not touched here.
 */
export function stripHopByHop(headers: HeaderList): void {
  const flat = headers.flat
  const named = namedByConnection(flat)
  let to = 0
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    if (isHopByHop(name, flat[i + 1]!) || (named !== '' && hasToken(named, name) && !isProtected(name))) continue
    flat[to] = name
    flat[to + 1] = flat[i + 1]!
    to += 2
  }
  cutTo(flat, to)
}

/** Usual reason phrases; clients ignore them, people do not. */
export function reasonOf(status: number): string {
  return reasons[status] ?? 'Unknown'
}

function isHopByHop(name: string, value: string): boolean {
  switch (name) {
    case 'connection':
    case 'keep-alive':
    case 'proxy-connection':
    case 'transfer-encoding':
    case 'upgrade':
      return true
    case 'te':
      return !hasToken(value, 'trailers')
    default:
      return false
  }
}

/** Every Connection value but the plain `keep-alive` and `close`, joined; usually empty. */
function namedByConnection(flat: readonly string[]): string {
  let named = ''
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== 'connection') continue
    const value = flat[i + 1]!
    if (value === 'keep-alive' || value === 'close') continue
    named = named === '' ? value : `${named},${value}`
  }
  return named
}

/** A client must not be able to take these away by naming them: routing, identity and framing rest on them. */
function isProtected(name: string): boolean {
  return name === 'host' || name === 'content-length' || name.startsWith('x-forwarded-') || name.startsWith('x-envoy-')
}

function fields(headers: HeaderList): string {
  const flat = headers.flat
  let text = ''
  for (let i = 0; i < flat.length; i += 2) text += `${flat[i]!}: ${flat[i + 1]!}\r\n`
  return text
}

/** The last fields and the empty line. */
function framing(bodyLength: number, persistence: Persistence): string {
  const connection = persistence === 'default' ? '' : persistence === 'close' ? 'connection: close\r\n' : 'connection: keep-alive\r\n'
  if (bodyLength >= 0) return `${connection}content-length: ${bodyLength}\r\n\r\n`
  return bodyLength === chunkedBody ? `${connection}transfer-encoding: chunked\r\n\r\n` : `${connection}\r\n`
}

const reasons: Readonly<Record<number, string>> = {
  100: 'Continue', 101: 'Switching Protocols', 102: 'Processing', 103: 'Early Hints',
  200: 'OK', 201: 'Created', 202: 'Accepted', 203: 'Non-Authoritative Information', 204: 'No Content',
  205: 'Reset Content', 206: 'Partial Content',
  300: 'Multiple Choices', 301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 304: 'Not Modified',
  307: 'Temporary Redirect', 308: 'Permanent Redirect',
  400: 'Bad Request', 401: 'Unauthorized', 402: 'Payment Required', 403: 'Forbidden', 404: 'Not Found',
  405: 'Method Not Allowed', 406: 'Not Acceptable', 407: 'Proxy Authentication Required', 408: 'Request Timeout',
  409: 'Conflict', 410: 'Gone', 411: 'Length Required', 412: 'Precondition Failed', 413: 'Payload Too Large',
  414: 'URI Too Long', 415: 'Unsupported Media Type', 416: 'Range Not Satisfiable', 417: 'Expectation Failed',
  418: "I'm a Teapot", 421: 'Misdirected Request', 422: 'Unprocessable Entity', 423: 'Locked', 424: 'Failed Dependency',
  425: 'Too Early', 426: 'Upgrade Required', 428: 'Precondition Required', 429: 'Too Many Requests',
  431: 'Request Header Fields Too Large', 451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable',
  504: 'Gateway Timeout', 505: 'HTTP Version Not Supported', 507: 'Insufficient Storage', 511: 'Network Authentication Required',
}
