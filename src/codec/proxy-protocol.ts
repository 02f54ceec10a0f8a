// Writes the head of the PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2): who connected, and to where, in
// front of what a proxy sends on. Addresses are those of sockets: literals, always whole.

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
