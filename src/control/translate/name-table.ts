// NDS: the names that a proxy's workload may look up, and the addresses that stand for them (traffic spec 3.7). One table
// for all proxies that see the same. Short names and search domains are the business of whoever answers the look-ups.
import { isIP } from '../../kinds/fields/host.ts'
import type { Endpoint, Service } from '../../model/service.ts'
import { NameTableSchema } from '../../proto/gen/istio/networking/nds/v1/nds_pb.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Init } from './any.ts'
import { isHeadless } from './outbound-ports.ts'
import type { ProxyNode } from './proxy-node.ts'
import { translator } from './translator.ts'

interface NamesView {
  readonly [part: string]: string | readonly object[]
  readonly services: readonly Service[]
  /** Of these services, and the services that they stand for, by index. */
  readonly aliases: readonly Service[]
  readonly aliased: readonly Service[]
  /** Of the headless ones, in their order. */
  readonly endpoints: readonly (readonly Endpoint[])[]
  readonly network: string
  /** Of the addresses that it has: to others it has no way. */
  readonly families: Families
}

type Families = 'v4' | 'v6' | 'both'

type Table = NonNullable<Init<typeof NameTableSchema>['table']>
type Info = Table[string]

/** Istio's is the only resource of its type, and has no name. */
export const nameTable = translator<NamesView, typeof NameTableSchema>('nds', {
  schema: NameTableSchema,
  names: () => [''],
  view: (proxy, snapshot, name) => (name === '' ? namesView(proxy, snapshot) : undefined),
  build: (view) => ({ table: sorted(tableOf(view)) }),
})

function namesView(proxy: ProxyNode, snapshot: Snapshot): NamesView {
  const { services } = snapshot.scopeOf(proxy, proxy.type)
  const { headless, aliases, aliased } = standsIn(services, proxy.namespace, snapshot.services)
  return {
    services, aliases, aliased,
    endpoints: headless.map((service) => service.ports.flatMap((port) => snapshot.endpoints.of(service, port))),
    network: proxy.network,
    families: familiesOf(proxy),
  }
}

interface Stands extends Pick<NamesView, 'aliases' | 'aliased'> {
  readonly namespace: string
  readonly index: Snapshot['services']
  readonly headless: readonly Service[]
}

const known = new WeakMap<readonly Service[], Stands>()

/** All proxies of a scope ask the same, at every push. */
function standsIn(services: readonly Service[], namespace: string, index: Snapshot['services']): Stands {
  const before = known.get(services)
  if (before?.namespace === namespace && before.index === index) return before
  const pairs = services.flatMap((service) => index.aliasesOf(service.hostname).filter((alias) => index.sees(namespace, alias)).map((alias) => ({ alias, service })))
  const now = { namespace, index, headless: services.filter(isHeadless), aliases: pairs.map(({ alias }) => alias), aliased: pairs.map(({ service }) => service) }
  known.set(services, now)
  return now
}

function familiesOf({ addresses }: ProxyNode): Families {
  const v6 = addresses.filter((one) => one.includes(':')).length
  return v6 === 0 ? 'v4' : v6 === addresses.length ? 'v6' : 'both'
}

function tableOf({ services, aliases, aliased, endpoints, network, families }: NamesView): Table {
  const table: Table = {}
  const members = new Map(services.filter(isHeadless).map((service, at) => [service, endpoints[at]!.filter((one) => answers(one, network))]))
  for (const service of services) {
    const ips = ofFamilies(addressesOf(service, members.get(service)), families)
    if (ips.length > 0 && isAskable(service.hostname)) table[service.hostname] = infoOf(service, ips)
    for (const { memberName, ...member } of members.get(service) ?? []) {
      if (memberName === undefined) continue
      const { ips: known = [], ...info } = table[`${memberName}.${service.hostname}`] ?? infoOf(service, [], `${memberName}.${service.name}`)
      table[`${memberName}.${service.hostname}`] = { ...info, ips: [...new Set([...known, ...ofFamilies(placesOf(member), families)])] }
    }
  }
  for (const [at, alias] of aliases.entries()) {
    const target = table[aliased[at]!.hostname]
    if (target?.ips !== undefined) table[alias.hostname] ??= infoOf(alias, target.ips)
  }
  return table
}

/** Ready, where the client can reach it: nobody stands between for addresses of Pods. */
const answers = ({ health, address, network }: Endpoint, clients: string): boolean =>
  health === 'healthy' && isIP(address) && (clients === '' || network === '' || network === clients)

function addressesOf(service: Service, members: readonly Endpoint[] | undefined): readonly string[] {
  return [...new Set(members === undefined ? service.addresses.filter(isIP) : members.flatMap(placesOf))]
}

const placesOf = ({ address, furtherAddresses = [] }: Pick<Endpoint, 'address' | 'furtherAddresses'>): readonly string[] => [address, ...furtherAddresses]

/** A host that has none of them is known all the same. */
function ofFamilies(ips: readonly string[], families: Families): readonly string[] {
  const fit = ips.filter((one) => families === 'both' || one.includes(':') === (families === 'v6'))
  return fit.length === 0 ? ips : fit
}

/** A wildcard stands for what is below a domain; nothing stands for every name. */
const isAskable = (hostname: string): boolean => !hostname.includes('*') || /^\*\.[^*]+$/.test(hostname)

function infoOf({ registry, name, namespace }: Service, ips: readonly string[], shortname = name): Info {
  return { ips: [...ips], registry, ...(registry === 'Kubernetes' && { shortname, namespace }) }
}

/** Equal tables are equal bytes. */
const sorted = (table: Table): Table => Object.fromEntries(Object.entries(table).sort(([one], [other]) => (one < other ? -1 : 1)))
