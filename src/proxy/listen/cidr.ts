// Addresses as numbers and ranges of them, as filter chains match them. IPv4 seen through its IPv6 mapping is IPv4.

export interface IpNumber {
  readonly family: 4 | 6
  readonly bits: bigint
}

export interface Cidr extends IpNumber {
  readonly length: number
}

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
const v4Shape = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/

/** `::ffff:10.0.0.1` is what a dual-stack socket calls `10.0.0.1`. */
export function plainIp(host: string): string {
  return mapped.exec(host)?.[1] ?? host
}

/** Undefined for anything that is not an IP literal. */
export function parseIp(host: string): IpNumber | undefined {
  const ip = plainIp(host)
  if (v4Shape.test(ip)) return { family: 4, bits: v4Bits(ip) }
  const bits = v6Bits(ip)
  return bits === undefined ? undefined : { family: 6, bits }
}

/** Undefined when the address is not an IP literal or the length does not fit its family. */
export function parseCidr(address: string, length: number): Cidr | undefined {
  const ip = parseIp(address)
  if (ip === undefined || !Number.isInteger(length) || length < 0 || length > widthOf(ip)) return undefined
  const shift = BigInt(widthOf(ip) - length)
  return { family: ip.family, bits: (ip.bits >> shift) << shift, length }
}

export function contains(range: Cidr, ip: IpNumber): boolean {
  if (range.family !== ip.family) return false
  const shift = BigInt(widthOf(range) - range.length)
  return range.bits >> shift === ip.bits >> shift
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(host: string): boolean {
  const ip = plainIp(host)
  return ip === '::1' || ip.startsWith('127.')
}

function widthOf(ip: IpNumber): number {
  return ip.family === 4 ? 32 : 128
}

function v4Bits(ip: string): bigint {
  return ip.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
}

/** RFC 4291 §2.2: eight groups, one run of zeros left out as `::`, the last two groups possibly written as IPv4. */
function v6Bits(text: string): bigint | undefined {
  const halves = withoutEmbeddedV4(text.split('%')[0]!).split('::')
  if (halves.length > 2) return undefined
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const zeros = 8 - left.length - right.length
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return undefined
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}

function withoutEmbeddedV4(text: string): string {
  const cut = text.lastIndexOf(':') + 1
  const tail = text.slice(cut)
  if (cut === 0 || !v4Shape.test(tail)) return text
  const bits = v4Bits(tail)
  return `${text.slice(0, cut)}${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`
}
