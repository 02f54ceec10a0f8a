// Field names (and methods) that nearly every message carries, found by the hash that the scanner computes on its way:
// a known name costs no allocation, and comparing it later ends at the pointer.

const fieldNames = [
  'host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer', 'keep-alive',
  'proxy-connection', 'accept', 'accept-charset', 'accept-encoding', 'accept-language', 'accept-ranges', 'age', 'allow',
  'authorization', 'cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-location',
  'content-range', 'content-type', 'cookie', 'date', 'dnt', 'etag', 'expires', 'forwarded', 'from', 'if-match',
  'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'last-modified', 'link', 'location',
  'max-forwards', 'origin', 'pragma', 'priority', 'proxy-authenticate', 'proxy-authorization', 'range', 'referer',
  'refresh', 'retry-after', 'sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform', 'sec-fetch-dest', 'sec-fetch-mode',
  'sec-fetch-site', 'sec-fetch-user', 'sec-websocket-accept', 'sec-websocket-extensions', 'sec-websocket-key',
  'sec-websocket-protocol', 'sec-websocket-version', 'server', 'set-cookie', 'strict-transport-security',
  'upgrade-insecure-requests', 'user-agent', 'vary', 'via', 'warning', 'www-authenticate', 'x-content-type-options',
  'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto', 'x-frame-options', 'x-powered-by',
  'x-real-ip', 'x-request-id', 'x-requested-with', 'x-xss-protection', 'x-client-trace-id', 'traceparent', 'tracestate',
  'baggage', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'x-ot-span-context',
  'x-cloud-trace-context', 'grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding', 'grpc-status', 'grpc-message',
  'x-envoy-attempt-count', 'x-envoy-decorator-operation', 'x-envoy-external-address', 'x-envoy-internal',
  'x-envoy-original-path', 'x-envoy-original-host', 'x-envoy-expected-rq-timeout-ms', 'x-envoy-max-retries',
  'x-envoy-retry-on', 'x-envoy-retry-grpc-on', 'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms', 'x-envoy-upstream-service-time', 'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id', 'x-envoy-overloaded', 'x-envoy-ratelimited', 'x-forwarded-client-cert', 'end-user',
  'access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers',
  'access-control-allow-credentials', 'access-control-expose-headers', 'access-control-max-age',
  'access-control-request-method', 'access-control-request-headers',
] as const

/** Positions in the list above of the fields that decide framing and connection handling. */
export const nameId = {
  host: 0,
  connection: 1,
  contentLength: 2,
  transferEncoding: 3,
  upgrade: 4,
  expect: 5,
  /** Ids from here on mean nothing to the parser itself. */
  firstOrdinary: 6,
} as const

/** One step of the hash; start from 0. The scanner runs it over folded bytes. */
export const hashStep = (hash: number, byte: number): number => (Math.imul(hash, 31) + byte) | 0

const tableBits = 10
const slots = 1 << tableBits
const spread = (hash: number): number => (Math.imul(hash, 0x9e3779b1) >>> (32 - tableBits)) & (slots - 1)

/** Open addressing: slot -> id + 1, 0 when free. */
const idBySlot = new Uint8Array(slots)
const hashById = new Int32Array(fieldNames.length)

for (const [id, name] of fieldNames.entries()) {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i))
  hashById[id] = hash
  let slot = spread(hash)
  while (idBySlot[slot] !== 0) slot = (slot + 1) & (slots - 1)
  idBySlot[slot] = id + 1
}

/** The id of the known name that stands in `bytes[from, to)` in any case, or -1. `hash` is that of its folded bytes. */
export function findName(hash: number, bytes: Uint8Array, from: number, to: number): number {
  for (let slot = spread(hash); ; slot = (slot + 1) & (slots - 1)) {
    const id = idBySlot[slot]! - 1
    if (id < 0) return -1
    if (hashById[id] === hash && matches(fieldNames[id]!, bytes, from, to)) return id
  }
}

export function nameOf(id: number): string {
  return fieldNames[id]!
}

/** The hash already agrees: this only rules out collisions. */
function matches(name: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[from + i]!
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (folded !== name.charCodeAt(i)) return false
  }
  return true
}
