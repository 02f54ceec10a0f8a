// The head of the PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2), written and read: who connected, and
// to where, in front of what a proxy sends on. Addresses are those of sockets: literals, always whole.

export type ProxyProtocolVersion = 'v1' | 'v2'

interface Address {
  readonly host: string
  readonly port: number
}

/** Addresses of two families, or of none, are not said: the receiver takes the connection for the proxy's own. */
export function proxyHead(version: ProxyProtocolVersion, from: Address, to: Address): Buffer {
  const source = { host: unmapped(from.host), port: from.port }
  const destination = { host: unmapped(to.host), port: to.port }
  const family = familyOf(source.host)
  const known = family !== 'none' && family === familyOf(destination.host) ? family : 'none'
  return version === 'v1' ? Buffer.from(textHead(known, source, destination), 'latin1') : binaryHead(known, source, destination)
}

type Family = 'v4' | 'v6' | 'none'

function familyOf(host: string): Family {
  if (host.includes(':') && !host.startsWith('unix:')) return 'v6'
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) ? 'v4' : 'none'
}

/** `::ffff:1.2.3.4` is how a socket for both families shows an IPv4 client. */
const unmapped = (host: string): string => (/^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(host) ? host.slice('::ffff:'.length) : host)

function textHead(family: Family, source: Address, destination: Address): string {
  if (family === 'none') return 'PROXY UNKNOWN\r\n'
  return `PROXY ${family === 'v4' ? 'TCP4' : 'TCP6'} ${source.host} ${destination.host} ${source.port} ${destination.port}\r\n`
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const local = 0x20
const proxied = 0x21
const families: Readonly<Record<Family, number>> = { v4: 0x11, v6: 0x21, none: 0x00 }

function binaryHead(family: Family, source: Address, destination: Address): Buffer {
  const addresses = family === 'none' ? [] : [bytesOf(source.host), bytesOf(destination.host), portBytes(source.port), portBytes(destination.port)]
  const body = Buffer.concat(addresses)
  return Buffer.concat([signature, Buffer.from([family === 'none' ? local : proxied, families[family]]), portBytes(body.length), body])
}

const portBytes = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])

function bytesOf(host: string): Buffer {
  if (!host.includes(':')) return Buffer.from(host.split('.').map(Number))
  const [before = '', after] = host.replace(/%.*$/, '').split('::')
  const head = wordsOf(before)
  const tail = wordsOf(after ?? '')
  const missing = after === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => 0)
  return Buffer.concat([...head, ...missing, ...tail].map(portBytes))
}

/** The last part may be an IPv4 address. */
function wordsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

/** What stands at the front of a connection. `unsaid`: a head that names nobody, such as of a health check. */
export type ProxyHead =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'bad'; readonly reason: string }
  | { readonly kind: 'unsaid'; readonly length: number }
  | { readonly kind: 'said'; readonly length: number; readonly from: Address; readonly to: Address }

const incomplete: ProxyHead = { kind: 'incomplete' }
const bad = (reason: string): ProxyHead => ({ kind: 'bad', reason })

/** With its line end; the longest is that of two whole IPv6 addresses. */
const longestText = 107
/** Of version 2, behind the first 16 bytes. More than addresses and the known extensions take. */
const longestBody = 4096
const textStart = Buffer.from('PROXY ')

export function readProxyHead(bytes: Buffer): ProxyHead {
  if (startsLike(bytes, signature)) return bytes.length < 16 ? incomplete : readBinary(bytes)
  return startsLike(bytes, textStart) ? readText(bytes) : bad('no PROXY head')
}

const startsLike = (bytes: Buffer, wanted: Buffer): boolean => {
  const length = Math.min(bytes.length, wanted.length)
  return bytes.subarray(0, length).equals(wanted.subarray(0, length))
}

function readText(bytes: Buffer): ProxyHead {
  const end = bytes.indexOf('\r\n')
  if (end === -1 || end + 2 > longestText) return bytes.length < longestText ? incomplete : bad('a first line that does not end')
  const line = bytes.toString('latin1', 0, end)
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { kind: 'unsaid', length: end + 2 }
  const found = /^PROXY (TCP[46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line)
  if (found === null) return bad('a first line that says nothing of a connection')
  const [, family, source = '', destination = '', sourcePort, destinationPort] = found
  const from = { host: source, port: Number(sourcePort) }
  const to = { host: destination, port: Number(destinationPort) }
  const fits = [from, to].every(({ host, port }) => familyOf(host) === (family === 'TCP4' ? 'v4' : 'v6') && isLiteral(host) && port <= 65_535)
  return fits ? { kind: 'said', length: end + 2, from, to } : bad('addresses that are none')
}

const isLiteral = (host: string): boolean =>
  (host.includes(':') ? URL.canParse(`http://[${host}]`) : host.split('.').every((part) => Number(part) <= 255))

function readBinary(bytes: Buffer): ProxyHead {
  const [command, family] = [bytes[12]!, bytes[13]!]
  const length = 16 + bytes.readUInt16BE(14)
  if (command !== local && command !== proxied) return bad(`version and command 0x${command.toString(16)}`)
  if (length > 16 + longestBody) return bad(`a head of ${length} bytes`)
  if (bytes.length < length) return incomplete
  const width = family === families.v4 ? 4 : family === families.v6 ? 16 : 0
  if (command === local || width === 0) return { kind: 'unsaid', length }
  if (length < 16 + 2 * width + 4) return bad('a head that is too short for its addresses')
  const host = (at: number): string => literalOf(bytes.subarray(at, at + width))
  const ports = 16 + 2 * width
  return { kind: 'said', length, from: { host: host(16), port: bytes.readUInt16BE(ports) }, to: { host: host(16 + width), port: bytes.readUInt16BE(ports + 2) } }
}

function literalOf(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.')
  const words = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16))
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)
}
