// The same table once more, asked over HTTP/2: what a client sees, and what a backend of HTTP/1.1 gets, is what Envoy makes
// of it. Without the cases that are about the bytes of HTTP/1.1, or about curl; and with those of HTTP/2 and gRPC alone.
import type { Case } from './case.ts'
import { edges } from './cases/edges.ts'
import { failing } from './cases/failing.ts'
import { http2 } from './cases/http2.ts'
import { http2Upstream } from './cases/http2-upstream.ts'
import { matching } from './cases/matching.ts'
import { protocol } from './cases/protocol.ts'
import { rewriting } from './cases/rewriting.ts'
import { differentialSuite } from './suite.ts'

/** What is another thing in HTTP/2. */
const ofHttp1: ReadonlySet<string> = new Set([
  'header values with commands of Envoy', // %PROTOCOL%
  'hop-by-hop headers stay behind', // a client of HTTP/2 may not send them
  'a port without a protocol is sniffed: HTTP', // HTTP/2 goes on as such, which the backends do not speak
  'a client that leaves', // has words of its own, see cases/http2.ts
])
const isOfHttp1 = ({ title, asks }: Case): boolean => ofHttp1.has(title) || asks.some(({ raw, curl, times }) => raw !== undefined || curl !== undefined || times !== undefined)
const overHttp2 = (one: Case): Case => ({ ...one, title: `${one.title}, over HTTP/2`, asks: one.asks.map((asked) => ({ ...asked, http2: true })) })

const cases = [...matching, ...rewriting, ...failing, ...protocol, ...edges].filter((one) => !isOfHttp1(one)).map(overHttp2)

differentialSuite('the differential suite, over HTTP/2', [...cases, ...http2, ...http2Upstream], ['127.62', '127.72'])
