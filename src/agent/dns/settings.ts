// The settings of the DNS proxy in `trysail proxy`, under Istio's names too, and resolv.conf as it is read for it.
import { readFileSync } from 'node:fs'
import type { Clock } from '../../lib/clock.ts'
import { duration, onOff, text } from '../../lib/settings.ts'
import type { SettingsOf } from '../../lib/settings.ts'
import type { Address } from '../../model/address.ts'
import { parseAddress } from '../../model/address.ts'
import { parseIp } from '../../proxy/listen/cidr.ts'
import { parseResolvConf } from './resolv-conf.ts'
import type { ResolvConf } from './resolv-conf.ts'

export const dnsSettingsTable = {
  dnsProxyAddr: text('localhost:15053', 'Where look-ups are answered, by UDP and TCP; localhost is 127.0.0.1 and, where it is there, ::1 (DNS_PROXY_ADDR).'),
  dnsResolvers: text('', 'Resolvers for names that are not of the mesh, ADDRESS or ADDRESS:PORT with commas between; none: there are no such names. Without it, those of resolv.conf.'),
  resolvConf: text('/etc/resolv.conf', 'File with the resolvers and search domains of the workload.'),
  dnsForwardTimeout: duration('5s', 'How long resolvers may take for one query (DNS_FORWARD_TIMEOUT).'),
  dnsForwardParallel: onOff(false, 'Asks all resolvers at once (DNS_FORWARD_PARALLEL).'),
}

export type DnsSettings = SettingsOf<typeof dnsSettingsTable>

/** What the variables are called by Istio. */
export const dnsAliases = { TRYSAIL_PROXY_DNS_PROXY_ADDR: 'DNS_PROXY_ADDR', TRYSAIL_PROXY_DNS_FORWARD_TIMEOUT: 'DNS_FORWARD_TIMEOUT', TRYSAIL_PROXY_DNS_FORWARD_PARALLEL: 'DNS_FORWARD_PARALLEL' }

/** The addresses to listen on; mistakes are added to the list. */
export function dnsAddresses({ dnsProxyAddr }: DnsSettings, mistakes: string[]): readonly Address[] {
  const address = parseAddress(dnsProxyAddr)
  if (address?.host === 'localhost') return [{ ...address, host: '127.0.0.1' }, { ...address, host: '::1' }]
  if (address !== undefined && parseIp(address.host) !== undefined) return [address]
  mistakes.push(`--dns-proxy-addr must be ADDRESS:PORT or localhost:PORT, not ${JSON.stringify(dnsProxyAddr)}`)
  return []
}

/** Without a timer: whoever asks looks at the file again when it was looked at this long ago. */
const freshMs = 5_000

/** Resolvers as given, or as the file has them now. A file that cannot be read leaves what was known. */
export function resolversOf({ dnsResolvers, resolvConf }: DnsSettings, clock: Clock, mistakes: string[]): () => ResolvConf | undefined {
  const given = dnsResolvers === '' ? undefined : dnsResolvers === 'none' ? [] : serversOf(dnsResolvers, mistakes)
  let known: ResolvConf | undefined
  let readAt = -Infinity
  return () => {
    if (Math.abs(clock.now() - readAt) >= freshMs) {
      known = readResolvConf(resolvConf) ?? known
      readAt = clock.now()
    }
    return given === undefined ? known : { servers: given, search: known?.search ?? [] }
  }
}

function readResolvConf(path: string): ResolvConf | undefined {
  try {
    return parseResolvConf(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

const dnsPort = 53

function serversOf(text: string, mistakes: string[]): readonly Address[] {
  return text.split(',').flatMap((written) => {
    const one = written.trim()
    const address = parseIp(one) === undefined ? parseAddress(one) : { host: one, port: dnsPort }
    if (address !== undefined && parseIp(address.host) !== undefined) return [address]
    mistakes.push(`--dns-resolvers: ${JSON.stringify(one)} is not ADDRESS or ADDRESS:PORT; say none for no resolvers`)
    return []
  })
}
