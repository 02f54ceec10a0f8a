// Which fields go into a dynamic table. An entry pays when the same name and value come again on the connection; a secret
// must not be where a guesser could find by the size of a block that the guess was right (RFC 7541 §7.1).

export const indexing = {
  /** Indexed while it pays: see encoder.ts. */
  adaptive: 0,
  /** The value differs from message to message: sent literally, without a try. */
  nameOnly: 1,
  /** A secret: sent literally and marked so, that no hop indexes it. */
  secret: 2,
  /** Means something between the two ends of an HTTP/1.1 connection only: it is not written at all (RFC 9113 §8.2.2). */
  dropped: 3,
} as const

/** Too short to be safe from guessing, as nghttp2 has it. */
const guessableCookie = 20

const changing = [
  ':path', 'content-length', 'content-range', 'range', 'x-request-id', 'x-client-trace-id', 'traceparent', 'b3', 'x-b3-traceid',
  'x-b3-spanid', 'x-b3-parentspanid', 'x-cloud-trace-context', 'x-ot-span-context', 'etag', 'if-none-match', 'if-modified-since',
  'last-modified', 'location', 'x-envoy-upstream-service-time', 'x-envoy-original-path', 'set-cookie', 'sec-websocket-key',
  'sec-websocket-accept',
] as const

const connectionSpecific = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'] as const

const byName: ReadonlyMap<string, number> = new Map<string, number>([
  ...changing.map((name): [string, number] => [name, indexing.nameOnly]),
  ...connectionSpecific.map((name): [string, number] => [name, indexing.dropped]),
  ['authorization', indexing.secret],
  ['proxy-authorization', indexing.secret],
])

export const indexingOf = (name: string): number => byName.get(name) ?? indexing.adaptive

export const isGuessable = (name: string, value: string): boolean => name === 'cookie' && value.length < guessableCookie
