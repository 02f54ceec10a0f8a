// Endpoints in another network than their client's, which it cannot dial: the gateways of that network stand for them, and
// find them by the server name of the client's mutual TLS (traffic spec 5.5). Which gateways there are, Services say by label.
import type { Endpoint, Service } from '../../../model/service.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { weightOf } from './placement.ts'

const networkLabel = 'topology.istio.io/network'
const portLabel = 'networking.istio.io/gatewayPort'
const usualPort = 15_443

interface NetworkGateway {
  readonly address: string
  readonly port: number
}

type Gateways = ReadonlyMap<string, readonly NetworkGateway[]>

const known = new WeakMap<object, Gateways>()

/** By network. */
function gatewaysOf({ services }: Pick<Snapshot, 'services'>): Gateways {
  const found = known.get(services) ?? findGateways(services.all)
  known.set(services, found)
  return found
}

function findGateways(services: readonly Service[]): Gateways {
  const found = new Map<string, NetworkGateway[]>()
  for (const { labels, externalAddresses = [] } of services) {
    const network = labels[networkLabel]
    if (network === undefined || network === '') continue
    const port = /^\d{1,5}$/.test(labels[portLabel] ?? '') ? Number(labels[portLabel]) : usualPort
    found.set(network, [...(found.get(network) ?? []), ...externalAddresses.map((address) => ({ address, port }))])
  }
  return found
}

/** Of the gateways, what a client of this network may see: proxies with equal texts share endpoints. */
export function networksKey(proxy: Pick<ProxyNode, 'network'>, snapshot: Pick<Snapshot, 'services'>): string {
  const gateways = gatewaysOf(snapshot)
  return proxy.network === '' || gateways.size === 0 ? '' : JSON.stringify([...gateways])
}

/** A network that is not known, or has no gateway, is dialled directly. The same list where nothing is replaced. `mutual`: in the mesh's mutual TLS. */
export function throughNetworks(endpoints: readonly Endpoint[], mutual: boolean, proxy: Pick<ProxyNode, 'network'>, snapshot: Pick<Snapshot, 'services'>): readonly Endpoint[] {
  const gateways = gatewaysOf(snapshot)
  const hops = (one: Endpoint): readonly NetworkGateway[] => (one.network === '' || one.network === proxy.network ? [] : gateways.get(one.network) ?? [])
  if (proxy.network === '' || gateways.size === 0 || endpoints.every((one) => hops(one).length === 0)) return endpoints
  // Every endpoint keeps its share, however many gateways stand for it.
  const scale = [...gateways.values()].map((all) => all.length).reduce(leastCommonMultiple, 1)
  const direct = endpoints.filter((one) => hops(one).length === 0).map((one) => (scale === 1 ? one : { ...one, weight: weightOf(one) * scale }))
  // What takes no mutual TLS has no name for a gateway to find it by.
  const remote = endpoints.filter((one) => mutual && hops(one).length > 0 && one.mutualTls && one.health === 'healthy')
  const merged = new Map<string, Endpoint>()
  for (const one of remote) for (const gateway of hops(one)) addTo(merged, one, gateway, (weightOf(one) * scale) / hops(one).length)
  return [...direct, ...merged.values()]
}

/** Endpoints of one place behind one gateway are one to the client. */
function addTo(merged: Map<string, Endpoint>, one: Endpoint, { address, port }: NetworkGateway, weight: number): void {
  const { region, zone, subzone } = one.locality
  const key = `${address} ${port} ${one.network} ${region}/${zone}/${subzone}`
  const before = merged.get(key)
  merged.set(key, before === undefined ? { ...one, address, port, weight, workload: '', serviceAccount: '' } : { ...before, weight: before.weight + weight })
}

function leastCommonMultiple(one: number, other: number): number {
  return other === 0 ? one : (one * other) / greatestCommonDivisor(one, other)
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other)
}
