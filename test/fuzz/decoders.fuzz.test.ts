// Fuzz targets for the small decoders that read what strangers send: the first bytes of connections, gRPC, tokens, keys,
// certificate requests, names. None throws what it does not promise, none goes on for ever, and what was written is read back.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { findClientHello } from '../../src/codec/client-hello.ts'
import { Deframer } from '../../src/codec/grpc/deframer.ts'
import { GrpcCodecError } from '../../src/codec/grpc/errors.ts'
import { decodeGrpcMessage, encodeGrpcMessage } from '../../src/codec/grpc/message.ts'
import { formatGrpcTimeout, parseGrpcTimeout } from '../../src/codec/grpc/timeout.ts'
import { sniffHttp } from '../../src/codec/http-sniff.ts'
import { proxyHead, readProxyHead } from '../../src/codec/proxy-protocol.ts'
import { WebSocketFrames } from '../../src/codec/websocket-frames.ts'
import { MeshError } from '../../src/lib/errors.ts'
import { parseAddress, formatAddress } from '../../src/model/address.ts'
import { formatSpiffeId, parseSpiffeId } from '../../src/model/spiffe-id.ts'
import { parseSubjectAltNames } from '../../src/net/subject-alt-names.ts'
import { decodePeerMetadata } from '../../src/proxy/telemetry/peer-metadata.ts'
import { readKeySet } from '../../src/security/jwt/key-set.ts'
import { isToken, readToken } from '../../src/security/jwt/token.ts'
import { toPem } from '../../src/security/x509/pem.ts'
import { createRequest, readRequest } from '../../src/security/x509/request.ts'
import { nameIn } from '../../src/proxy/xds/sotw.ts'

const parameters = { numRuns: 2000 }
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))

/** A good one with some bytes changed, cut or repeated. */
const damaged = (good: Buffer) =>
  fc.tuple(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(good.length), fc.boolean()).map(([changes, cut, twice]) => {
    const copy = Buffer.from(good)
    for (const [at, byte] of changes) copy[at] = byte
    const part = copy.subarray(0, cut)
    return twice ? Buffer.concat([part, copy]) : Buffer.from(part)
  })

/** What is known of a beginning stays so, whatever comes after it. */
function staysSaid<Found extends { readonly kind: string } | string>(find: (input: Buffer) => Found, input: Buffer): void {
  const kind = (found: Found): string => (typeof found === 'string' ? found : found.kind)
  let said = 'incomplete'
  for (let end = 0; end <= input.length; end++) {
    const now = kind(find(input.subarray(0, end)))
    if (said !== 'incomplete') assert.equal(now, said, `${end} of ${input.toString('hex')}`)
    said = now
  }
}

const sized = (size: number, ...parts: readonly Buffer[]): Buffer => {
  const inner = Buffer.concat(parts)
  const length = Buffer.alloc(size)
  length.writeUIntBE(inner.length, 0, size)
  return Buffer.concat([length, inner])
}
const extension = (type: number, ...parts: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from([0, type]), sized(2, ...parts)])
const extensions = sized(2, extension(0, sized(2, Buffer.from([0]), sized(2, Buffer.from('a.example')))), extension(16, sized(2, sized(1, Buffer.from('h2')), sized(1, Buffer.from('http/1.1')))), extension(43, Buffer.alloc(5)))
const message = Buffer.concat([Buffer.from([1]), sized(3, Buffer.alloc(34, 3), sized(1), sized(2, Buffer.alloc(4)), sized(1, Buffer.alloc(1)), extensions)])
const hello = Buffer.concat([Buffer.from([22, 3, 1]), sized(2, message)])

test('TLS: a client hello in any pieces and with any damage is told, and what is told does not change', () => {
  assert.deepEqual(findClientHello(hello), { kind: 'hello', serverName: 'a.example', alpn: ['h2', 'http/1.1'] })
  fc.assert(fc.property(fc.oneof(damaged(hello), bytes), (input) => staysSaid(findClientHello, input)), parameters)
})

test('HTTP: what a first line is said to be does not change with what comes after it', () => {
  const line = fc.constantFrom('GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\r\n\r\nPOST /a?b HTTP/1.0\r\n', 'SSH-2.0-x\r\n', 'BREW', '*1\r\n$4\r\nPING\r\n').chain((text) => damaged(Buffer.from(text)))
  fc.assert(fc.property(fc.oneof(line, bytes), (input) => staysSaid(sniffHttp, input)), parameters)
})

const address = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535)).map(([host, port]) => ({ host, port }))
test('PROXY protocol: what was written is read back, and damage is told', () => {
  fc.assert(fc.property(fc.constantFrom('v1' as const, 'v2' as const), address, address, fc.uint8Array({ maxLength: 20 }), (version, from, to, rest) => {
    const head = proxyHead(version, from, to)
    const read = readProxyHead(Buffer.concat([head, rest]))
    assert.ok(read.kind === 'said' || read.kind === 'unsaid')
    assert.equal(read.length, head.length)
    if (read.kind === 'said') assert.deepEqual([read.from.port, read.to.port], [from.port, to.port])
  }), parameters)
  const whole = fc.constantFrom('v1' as const, 'v2' as const).chain((version) => damaged(proxyHead(version, { host: '10.0.0.1', port: 1 }, { host: '10.0.0.2', port: 65_535 })))
  fc.assert(fc.property(fc.oneof(whole, bytes), (input) => staysSaid(readProxyHead, input)), parameters)
})

test('gRPC frames: any cut gives the same messages, and only GrpcCodecError escapes', () => {
  const frame = fc.tuple(fc.constantFrom(0, 0, 0, 0, 1, 2), fc.uint8Array({ maxLength: 40 }), fc.integer({ min: -1, max: 1 })).map(([flag, body, wrong]) => {
    const head = Buffer.alloc(5)
    head[0] = flag
    head.writeUInt32BE(Math.max(0, body.length + (flag === 2 ? wrong : 0)), 1)
    return Buffer.concat([head, body])
  })
  const outcome = (pieces: readonly Uint8Array[]): string => {
    const found: string[] = []
    const deframer = new Deframer(30, (message) => void found.push(Buffer.from(message).toString('hex')))
    try {
      for (const piece of pieces) deframer.push(piece)
      deframer.end()
    } catch (error) {
      assert.ok(error instanceof GrpcCodecError)
      found.push(error.code)
    }
    return found.join(' ')
  }
  fc.assert(fc.property(fc.oneof(fc.array(frame, { maxLength: 5 }).map((all) => Buffer.concat(all)), bytes), fc.array(fc.nat(200), { maxLength: 6 }), (input, cuts) => {
    const at = [...new Set(cuts.filter((cut) => cut < input.length))].sort((a, b) => a - b)
    const pieces = [0, ...at].map((from, i) => input.subarray(from, at[i] ?? input.length))
    assert.equal(outcome(pieces), outcome([input]))
    assert.equal(outcome([...input].map((byte) => Uint8Array.of(byte))), outcome([input]))
  }), parameters)
})

test('gRPC texts: messages come back, timeouts are never cut short, and nothing throws', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
    assert.equal(decodeGrpcMessage(encodeGrpcMessage(text)), text.toWellFormed())
    assert.match(encodeGrpcMessage(text), /^[\x20-\x7e]*$/)
    decodeGrpcMessage(text)
    parseGrpcTimeout(text)
  }), parameters)
  fc.assert(fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
    const read = parseGrpcTimeout(formatGrpcTimeout(ms))!
    assert.ok(read >= ms && read <= Math.max(ms + 3_600_000, ms * 1.001))
  }), parameters)
})

const json = fc.json({ maxDepth: 3 })
const base64url = (text: string): string => Buffer.from(text).toString('base64url')
test('tokens and key sets: any text is a token, or says why not; any document is a set of keys', () => {
  const claims = fc.record({ alg: fc.constantFrom('RS256', 'none', 'ES256'), kid: fc.constantFrom('a', 1, undefined), iss: fc.jsonValue({ maxDepth: 1 }), aud: fc.jsonValue({ maxDepth: 2 }), exp: fc.oneof(fc.double(), fc.jsonValue({ maxDepth: 1 })) }, { requiredKeys: [] }).map((value) => JSON.stringify(value))
  const section = fc.oneof(claims, json, fc.string()).map(base64url)
  fc.assert(fc.property(fc.oneof(fc.array(section, { minLength: 2, maxLength: 4 }).map((all) => all.join('.')), fc.string()), (text) => {
    const read = readToken(text)
    assert.ok(isToken(read) ? read.text === text : read !== undefined)
  }), parameters)
  const key = fc.record({ kty: fc.constantFrom('RSA', 'EC', 'OKP', 'oct', 'x', 1), n: fc.string(), e: fc.constantFrom('AQAB', ''), k: fc.string(), crv: fc.constantFrom('P-256', 'Ed25519', ''), x: fc.string(), y: fc.string(), alg: fc.constantFrom('RS256', 'ES256', 'HS256'), kid: fc.anything() }, { requiredKeys: [] })
  fc.assert(fc.property(fc.oneof(json, fc.string(), fc.array(key, { maxLength: 4 }).map((keys) => JSON.stringify({ keys }, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value)))), (text) => {
    const { keys, problems } = readKeySet(text)
    assert.ok(keys.length > 0 || problems.length > 0)
  }), parameters)
})

test('certificate requests: damage never throws anything but its own errors, and a name is never another one', () => {
  const pem = createRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'spiffe://cluster.local/ns/a/sa/b')
  assert.deepEqual(readRequest(pem).asked.uris, ['spiffe://cluster.local/ns/a/sa/b'])
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  fc.assert(fc.property(fc.oneof(damaged(der).map((bad) => toPem('CERTIFICATE REQUEST', bad)), bytes.map((bad) => toPem('CERTIFICATE REQUEST', bad)), fc.string()), (text) => {
    try {
      assert.deepEqual(readRequest(text).asked.uris, ['spiffe://cluster.local/ns/a/sa/b'], 'whoever changes it has no key for it')
    } catch (error) {
      assert.ok(error instanceof MeshError && error.code.startsWith('x509/'), String(error))
    }
  }), parameters)
})

test('names: texts of certificates, addresses, identities and metadata of peers never throw what they do not promise', () => {
  const part = fc.constantFrom('URI:', 'DNS:', 'IP Address:', '"', '\\', ', ', 'spiffe://td/ns/a/sa/b', 'a.example', '1.2.3.4', '[::1]', ':', '80', '%', '/')
  const text = fc.oneof(fc.array(part, { maxLength: 10 }).map((all) => all.join('')), fc.string({ maxLength: 60 }))
  fc.assert(fc.property(text, bytes, (input, raw) => {
    parseSubjectAltNames(input)
    decodePeerMetadata(input)
    decodePeerMetadata(raw.toString('base64'))
    nameIn(raw)
    const found = parseAddress(input)
    if (found !== undefined) assert.deepEqual(parseAddress(formatAddress(found)), found)
    const id = parseSpiffeId(input)
    if (id !== undefined) assert.deepEqual(parseSpiffeId(formatSpiffeId(id)), id)
  }), parameters)
})

test('WebSocket: where frames end is found whatever their lengths, masks and cuts, and bytes of any kind are followed to their end', () => {
  const frame = fc.tuple(fc.nat(255), fc.oneof(fc.nat(200), fc.constantFrom(0, 125, 126, 127, 65_535, 65_536)), fc.boolean(), fc.boolean()).map(([first, length, masked, long]) => {
    const sizes = length > 65_535 || (long && length > 125) ? 8 : length > 125 ? 2 : 0
    const head = Buffer.alloc(2 + sizes + (masked ? 4 : 0), 0xff)
    head[0] = first
    head[1] = (masked ? 0x80 : 0) | (sizes === 0 ? length : sizes === 2 ? 126 : 127)
    if (sizes === 2) head.writeUInt16BE(length, 2)
    if (sizes === 8) head.writeBigUInt64BE(BigInt(length), 2)
    return Buffer.concat([head, Buffer.alloc(length, 0x88)])
  })
  fc.assert(fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat(1000), { maxLength: 6 }), (frames, cuts) => {
    const all = Buffer.concat(frames)
    const ends = frames.map((_, i) => frames.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0))
    const stopping = new WebSocketFrames()
    for (let at = 0, n = 0; at < all.length; n++) assert.equal((at = stopping.follow(all, at, all.length, true)), ends[n])
    const cut = new WebSocketFrames()
    let at = 0
    for (const end of [...cuts.filter((one) => one < all.length).sort((a, b) => a - b), all.length]) {
      assert.equal(cut.follow(all, at, end, false), end)
      assert.equal(cut.between, end === 0 || ends.includes(end))
      at = end
    }
  }), { numRuns: 500 })
  fc.assert(fc.property(bytes, (input) => assert.equal(new WebSocketFrames().follow(input, 0, input.length, false), input.length)), parameters)
})
