// What a response's head means, given the method of the request that it answers (RFC 9112 §4, §6.3).
import { badCoding } from './head.ts'
import type { Head } from './head.ts'
import type { HeadScanner } from './head-scanner.ts'

export function readResponseHead(head: Head, scanner: HeadScanner, requestMethod: string): void {
  const text = scanner.source.toString('latin1', scanner.base, scanner.base + scanner.length)
  head.status = scanner.status
  head.reason = text.slice(scanner.firstEnd, scanner.secondEnd)
  head.fill(scanner, text)
  head.readTransferEncoding()
  if (head.declaredLength !== -1) head.contentLength = head.declaredLength
  const status = head.status
  if (status < 200 || status === 204) {
    if (head.framing === 'chunked') throw badCoding(`Transfer-Encoding in a ${status} response`)
    return
  }
  if (status === 304 || requestMethod === 'HEAD' || (requestMethod === 'CONNECT' && status < 300)) {
    head.framing = 'none'
    return
  }
  if (head.framing === 'chunked') return
  head.framing = head.declaredLength === -1 ? 'until-close' : 'length'
  if (head.framing === 'until-close') head.keepAlive = false
}
