// Looks host names up: addresses as the operating system sees them (hosts file, search domains, then DNS), and on request
// how long DNS says that they hold. What to do with old answers is for the caller to know.
import { Resolver, lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Address } from '../model/address.ts'
import { connectError, netError } from './errors.ts'

/** `v4-first`: IPv6 only where there is no IPv4; `all`: both, in the system's order. */
export type AddressFamily = 'v4' | 'v6' | 'v4-first' | 'v6-first' | 'all'

export interface ResolveOptions {
  readonly family: AddressFamily
  readonly timeoutMs: number
  /** Asks DNS a second time, for the time to live, which the operating system keeps to itself. */
  readonly wantsTtl: boolean
}

export interface ResolvedName {
  /** Never empty. */
  readonly addresses: readonly string[]
  /** Undefined where DNS did not say, as for names of the hosts file. */
  readonly ttlMs: number | undefined
}

/** Fails with `net/name`, `net/timeout`. */
export type ResolveName = (host: string, options: ResolveOptions) => Promise<ResolvedName>

/** Whether there is a name to look up: no IP literal and no path of a socket. */
export function isName({ host }: Pick<Address, 'host'>): boolean {
  return isIP(host) === 0 && !host.startsWith('unix://')
}

export const resolveName: ResolveName = async (host, options) => {
  const found = await within(options.timeoutMs, host, lookUp(host))
  const addresses = ofFamily(found, options.family)
  if (addresses.length === 0) throw netError('net/name', `host name ${host} has no address of family ${options.family}`)
  return { addresses, ttlMs: options.wantsTtl ? await timeToLive(host, addresses, options.timeoutMs) : undefined }
}

/** A look-up that hangs keeps one of node's four threads, which files need too: no more than two are ever taken. */
const maxLookups = 2
let running = 0
const waiting: (() => void)[] = []

async function lookUp(host: string): Promise<readonly Found[]> {
  if (running < maxLookups) running++
  else await new Promise<void>((resolve) => waiting.push(resolve))
  try {
    return await lookup(host, { all: true, order: 'verbatim' })
  } finally {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
}

async function within<Value>(timeoutMs: number, host: string, work: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(netError('net/timeout', `host name ${host} did not resolve within ${timeoutMs} ms`)), timeoutMs)
  timer.unref()
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? connectError({ host, port: 0 }, error) : error
  } finally {
    clearTimeout(timer)
  }
}

interface Found {
  readonly address: string
  readonly family: number
}

function ofFamily(found: readonly Found[], family: AddressFamily): readonly string[] {
  const all = [...new Set(found.map(({ address }) => address))]
  const v4 = all.filter((address) => isIP(address) === 4)
  const v6 = all.filter((address) => isIP(address) === 6)
  switch (family) {
    case 'v4': return v4
    case 'v6': return v6
    case 'v4-first': return v4.length > 0 ? v4 : v6
    case 'v6-first': return v6.length > 0 ? v6 : v4
    case 'all': return all
  }
}

/** The shortest of the records that named these addresses. A server that does not answer costs the TTL, not the addresses. */
async function timeToLive(host: string, addresses: readonly string[], timeoutMs: number): Promise<number | undefined> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
  const asked = isIP(addresses[0]!) === 4 ? resolver.resolve4(host, { ttl: true }) : resolver.resolve6(host, { ttl: true })
  const records = await asked.catch(() => [])
  const known = records.filter(({ address }) => addresses.includes(address))
  return known.length === 0 ? undefined : Math.min(...known.map(({ ttl }) => ttl * 1000))
}
