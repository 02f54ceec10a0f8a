// A DNS proxy with a small mesh's names, as tests ask it.
import { startDnsProxy } from '../../src/agent/dns/dns-proxy.ts'
import type { DnsProxy, DnsProxySettings } from '../../src/agent/dns/dns-proxy.ts'
import type { Outcome } from '../../src/agent/dns/counts.ts'
import type { Address } from '../../src/model/address.ts'
import type { NameAddresses, NameTable } from '../../src/proxy/main.ts'
import { Resolver, askUdp, query, read, types } from './dns-peers.ts'
import { until } from './until.ts'

const host = (ips: readonly string[], shortname = '', namespace = ''): NameAddresses =>
  ({ ips, registry: shortname === '' ? 'External' : 'Kubernetes', shortname, namespace, aliases: [] })

export const dnsNames: NameTable = new Map([
  ['reviews.default.svc.cluster.local', host(['10.0.0.1'], 'reviews', 'default')],
  ['ratings.other.svc.cluster.local', host(['10.0.0.2', 'fd00::2'], 'ratings', 'other')],
  ['db-0.db.default.svc.cluster.local', host(['10.0.1.1'], 'db-0.db', 'default')],
  ['db.default.svc.cluster.local', host(Array.from({ length: 300 }, (_, i) => `10.1.${i >> 8}.${i & 255}`), 'db', 'default')],
  ['api.example.com', host(['240.240.0.1'])],
  ['*.example.org', host(['240.240.0.2'])],
  ['*.deep.example.org', host(['240.240.0.3'])],
])

const search = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']

export interface DnsWorld extends AsyncDisposable {
  readonly proxy: DnsProxy
  readonly at: Address
  readonly said: string[]
  udp(message: Buffer): Promise<Buffer>
  /** How many queries ended so. */
  ended(outcome: Outcome): number
  count(metric: string): number
  until(condition: () => boolean): Promise<void>
}

export async function startDns(resolvers: readonly Resolver[] = [], more: Partial<DnsProxySettings> & { readonly names?: NameTable | undefined } = {}): Promise<DnsWorld> {
  const said: string[] = []
  const proxy = await startDnsProxy({
    addresses: [{ host: '127.0.0.1', port: 0 }], namespace: 'default', domain: 'cluster.local', log: (line) => said.push(line),
    resolvers: () => ({ servers: resolvers.map(({ address }) => address), search }), ...more,
  })
  const names = 'names' in more ? more.names : dnsNames
  if (names !== undefined) proxy.take(names)
  const at = proxy.addresses[0]!
  const count = (metric: string): number => Number(new RegExp(`^${metric.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm').exec(proxy.counts.metrics.prometheus())?.[1] ?? 0)
  return {
    proxy, at, said, count,
    udp: (message) => askUdp(at, message),
    ended: (outcome) => count(`trysail_dns_answers_total{from="${outcome}"}`),
    until: (condition) => until(condition),
    [Symbol.asyncDispose]: () => proxy.close(),
  }
}

/** What a look-up finds; `code N` for what is refused. */
export const looked = async (world: DnsWorld, name: string, type: number = types.A) => {
  const { rcode, answers: found } = read(await world.udp(query(name, type)))
  return rcode === 0 ? found : [`code ${rcode}`]
}


/** A port that is free by UDP and TCP, for proxies that are given one. */
export async function freeDnsPort(): Promise<Address> {
  await using resolver = await Resolver.start(() => undefined)
  return resolver.address
}
