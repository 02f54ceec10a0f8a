// A case that was written for HTTP/1.1, asked over HTTP/2 or as a call of gRPC instead: what a client sees, and what a backend of
// HTTP/1.1 gets, is what Envoy makes of it. Not those that are about the bytes of HTTP/1.1, or about curl.
import type { Ask, Case } from './case.ts'

/** What is another thing in HTTP/2. */
const ofHttp1: ReadonlySet<string> = new Set([
  'header values with commands of Envoy', // %PROTOCOL%
  'hop-by-hop headers stay behind', // a client of HTTP/2 may not send them
  'a port without a protocol is sniffed: HTTP', // HTTP/2 goes on as such, which the backends do not speak
  'a client that leaves', // has words of its own, see cases/http2.ts
  'token: good and bad together', // node's client does not send it
  'token: no text is none', // a value that ends in a space is none
])
const isOfHttp1 = ({ title, asks }: Case): boolean => ofHttp1.has(title) || asks.some(({ raw, curl, http2 }) => raw !== undefined || curl !== undefined || http2 === true)

export const overHttp2 = (cases: readonly Case[]): Case[] =>
  cases.filter((one) => !isOfHttp1(one)).map((one) => ({ ...one, title: `${one.title}, over HTTP/2`, asks: one.asks.map((asked) => ({ ...asked, http2: true })) }))

/** What is expected of HTTP is not what is answered to gRPC: there the two proxies are held against each other alone. */
const call = (asked: Ask): Ask => ({
  ...asked, http2: true, method: 'POST', body: asked.body ?? '', headers: { ...asked.headers, 'content-type': 'application/grpc', te: 'trailers' }, expect: {},
  ...(asked.differs === undefined ? {} : { differs: { ...asked.differs, envoy: {} } }),
})

export const asGrpc = (cases: readonly Case[]): Case[] =>
  cases.filter((one) => !isOfHttp1(one) && one.asks.every(({ times }) => times === undefined)).map((one) => ({ ...one, title: `${one.title}, as gRPC`, asks: one.asks.map(call) }))
