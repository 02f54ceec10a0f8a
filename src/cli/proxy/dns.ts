// The DNS proxy of `trysail proxy --dns-capture`: when it opens, and what it is told. Beside a proxy whose place is taken it
// opens once it knows the names, so that no look-up is refused meanwhile.
import type { DnsProxy, DnsProxySettings } from '../../agent/dns/dns-proxy.ts'
import { dnsAddresses, dnsSettingsTable, resolversOf } from '../../agent/dns/settings.ts'
import type { DnsSettings } from '../../agent/dns/settings.ts'
import { systemClock } from '../../lib/clock.ts'
import { describe, spawn } from '../../lib/errors.ts'
import type { NameTable } from '../../proxy/main.ts'
import type { ProxySettings } from '../../proxy/settings.ts'
import type { ServiceLog } from '../service-log.ts'

export { dnsAliases } from '../../agent/dns/settings.ts'
export const dnsTable = dnsSettingsTable

export type WantedDns = DnsProxySettings | undefined

/** Adds what is wrong to `mistakes`; none where nothing captures look-ups. */
export function dnsOf(settings: DnsSettings & Pick<ProxySettings, 'dnsCapture' | 'namespace' | 'domain'> & { readonly takeover: boolean }, mistakes: string[]): WantedDns {
  const resolvers = resolversOf(settings, systemClock, mistakes)
  const addresses = dnsAddresses(settings, mistakes)
  const { namespace, domain, dnsForwardTimeout, dnsForwardParallel, takeover, dnsCapture } = settings
  return dnsCapture ? { addresses, namespace, domain, resolvers, forwardTimeoutMs: dnsForwardTimeout, forwardParallel: dnsForwardParallel, joins: takeover } : undefined
}

export interface OpenDns {
  /** For ProxyOptions. */
  readonly options: { readonly onNames?: (names: NameTable) => void; readonly moreMetrics?: () => string }
  close(): Promise<void>
}

export async function openDns(wanted: WantedDns, log: ServiceLog): Promise<OpenDns> {
  if (wanted === undefined) return { options: {}, close: () => Promise.resolve() }
  let dns: DnsProxy | undefined
  let opening: Promise<void> | undefined
  let names: NameTable | undefined
  const open = async (): Promise<void> => {
    const { startDnsProxy } = await import('../../agent/dns/dns-proxy.ts')
    dns = await startDnsProxy({ ...wanted, log: (line) => log('warning', line) })
    if (names !== undefined) dns.take(names)
  }
  if (wanted.joins !== true) await open()
  return {
    options: {
      onNames(now) {
        names = now
        dns?.take(now)
        if (dns === undefined) spawn('opening the DNS proxy', (opening ??= open()), (_, error) => log('error', `look-ups are not answered: ${describe(error)}`))
      },
      moreMetrics: () => dns?.counts.metrics.prometheus() ?? '',
    },
    async close() {
      await opening?.catch(() => {})
      await dns?.close()
    },
  }
}
