// What a request's head means: method, target, Host, and how the end of its body is found (RFC 9112 §3, §6.3).
import { H1Error } from './errors.ts'
import { checkHost } from './field-value.ts'
import type { HeadScanner } from './head-scanner.ts'
import type { Head } from './head.ts'

export function readRequestHead(head: Head, scanner: HeadScanner): void {
  const text = scanner.source.toString('latin1', scanner.base, scanner.base + scanner.length)
  head.method = internMethod(text, scanner.lineStart, scanner.firstEnd)
  head.target = text.slice(scanner.firstEnd + 1, scanner.secondEnd)
  checkTarget(head.method, head.target)
  head.fill(scanner, text)
  if (head.hosts > 1) throw new H1Error('h1/bad-host', 'several Host fields')
  if (head.hosts === 1) checkHost(head.host)
  else if (head.minor === 1) throw new H1Error('h1/bad-host', 'an HTTP/1.1 request has no Host field')
  head.readTransferEncoding()
  if (head.declaredLength === -1) return
  head.framing = 'length'
  head.contentLength = head.declaredLength
}

/** Methods that nearly all requests have keep one string each. */
function internMethod(text: string, from: number, to: number): string {
  switch (to - from) {
    case 3:
      if (text.startsWith('GET', from)) return 'GET'
      return text.startsWith('PUT', from) ? 'PUT' : text.slice(from, to)
    case 4:
      if (text.startsWith('POST', from)) return 'POST'
      return text.startsWith('HEAD', from) ? 'HEAD' : text.slice(from, to)
    default:
      return text.slice(from, to)
  }
}

/** origin-form, absolute-form, authority-form for CONNECT only, asterisk-form for OPTIONS only (RFC 9112 §3.2). */
function checkTarget(method: string, target: string): void {
  const first = target.charCodeAt(0)
  if (method === 'CONNECT') {
    if (first === 0x2f || target === '*' || target.includes('/')) throw badTarget('CONNECT needs host:port')
    checkHost(target)
    if (!/:\d+$/.test(target)) throw badTarget('CONNECT needs host:port')
    return
  }
  if (first === 0x2f) return
  if (target === '*') {
    if (method !== 'OPTIONS') throw badTarget('only OPTIONS may ask for *')
    return
  }
  const scheme = target.indexOf('://')
  if (scheme <= 0 || scheme + 3 === target.length || !isScheme(target, scheme)) throw badTarget('neither a path nor a URL')
}

/** ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), RFC 3986 §3.1. */
function isScheme(target: string, end: number): boolean {
  for (let i = 0; i < end; i++) {
    const code = target.charCodeAt(i)
    const folded = code | 0x20
    if (folded >= 0x61 && folded <= 0x7a) continue
    const later = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e
    if (i === 0 || !later) return false
  }
  return true
}

const badTarget = (message: string) => new H1Error('h1/bad-request-line', `request target: ${message}`)
