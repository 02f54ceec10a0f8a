// Names in certificates: distinguished names as far as we make them, and alternative names, which are what counts.
import { DerReader } from './der-reader.ts'
import { implicit, oid, sequence, set, utf8String } from './der-writer.ts'
import { x509Error } from './errors.ts'
import { oids } from './object-identifiers.ts'

export interface AltNames {
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  /** IPv4 and IPv6 literals. */
  readonly addresses: readonly string[]
}

/** `O=...`; without an organization the empty name. */
export function distinguishedName(organization: string | undefined): Buffer {
  if (organization === undefined) return sequence()
  return sequence(set(sequence(oid(oids.organizationName), utf8String(organization))))
}

/** GeneralNames, RFC 5280 4.2.1.6. */
export function encodeAltNames({ uris, dnsNames, addresses }: AltNames): Buffer {
  return sequence(
    ...uris.map((uri) => implicit(6, ascii(uri))),
    ...dnsNames.map((name) => implicit(2, ascii(name))),
    ...addresses.map((address) => implicit(7, addressBytes(address))),
  )
}

/** URIs and DNS names; other forms are passed over. */
export function decodeAltNames(der: Buffer): AltNames {
  const reader = new DerReader(der, 'list of alternative names')
  const names = reader.sequence()
  reader.end()
  const uris: string[] = []
  const dnsNames: string[] = []
  while (!names.done) {
    const { tag, content } = names.any()
    if (tag === 0x86) uris.push(content.toString('latin1'))
    else if (tag === 0x82) dnsNames.push(content.toString('latin1'))
  }
  return { uris, dnsNames, addresses: [] }
}

/** IA5String. A name with other characters would be another name to somebody else. */
function ascii(text: string): Buffer {
  if (!/^[\x21-\x7e]+$/.test(text)) throw x509Error('x509/csr', `${JSON.stringify(text)} cannot be a name in a certificate: only visible ASCII can`)
  return Buffer.from(text, 'latin1')
}

export function addressBytes(address: string): Buffer {
  const bytes = address.includes(':') ? ipv6Bytes(address) : ipv4Bytes(address)
  if (bytes === undefined) throw x509Error('x509/csr', `${JSON.stringify(address)} is not an IP address`)
  return Buffer.from(bytes)
}

function ipv4Bytes(text: string): readonly number[] | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined
  const parts = text.split('.').map(Number)
  return parts.every((part) => part <= 255) ? parts : undefined
}

/** RFC 4291 2.2; `::` stands for as many zero groups as are missing. */
function ipv6Bytes(text: string): readonly number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [left, right] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(groupBytes)))
  const known = [...(left ?? []), ...(right ?? [])]
  if (known.includes(-1) || known.length > 16 || (halves.length === 1) !== (known.length === 16)) return undefined
  return [...(left ?? []), ...Array<number>(16 - known.length).fill(0), ...(right ?? [])]
}

function groupBytes(group: string): readonly number[] {
  if (group.includes('.')) return ipv4Bytes(group) ?? [-1]
  if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return [-1]
  const value = parseInt(group, 16)
  return [value >>> 8, value & 0xff]
}

