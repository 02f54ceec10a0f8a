// Where a client stands to the endpoints of a service, and what a DestinationRule or the mesh makes of that: tiers of
// endpoints of which the nearest is used first, or fixed shares for localities (traffic spec 2.3).
import type { Endpoint, Locality, Service } from '../../../model/service.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { LocalityLbSetting, PolicyBlocks, ZoneAwareLbSetting } from '../../destination-rule-spec.ts'
import type { ClusterSchema } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Init } from '../any.ts'
import type { ProxyNode } from '../proxy-node.ts'

/** Parts of a view: clients of one place, who say the same with the labels that matter, share what is built of them. */
export interface Placement {
  readonly [part: string]: string | boolean | object | undefined
  /** Undefined: all endpoints are equal, wherever they are. */
  readonly setting: LocalityLbSetting | undefined
  /** Outlier detection notices when a tier fails; without it there are none, unless the service asks for them. */
  readonly tiers: boolean
  /** The proxy itself balances between zones: tiers are regions then. */
  readonly zoneAware: ZoneAwareLbSetting | undefined
  /** `region/zone/subzone` of the client; empty where it does not matter. */
  readonly place: string
  /** Labels of the client as JSON, those that failoverPriority asks for. */
  readonly labels: string
}

export const nowhere: Placement = { setting: undefined, tiers: false, zoneAware: undefined, place: '', labels: '' }

const none: LocalityLbSetting = {}

/** `policy` as the DestinationRule says it: the mesh's own outlier detection does not make tiers. */
export function placementOf(service: Service, policy: PolicyBlocks, proxy: ProxyNode, snapshot: Snapshot): Placement {
  const own = policy.loadBalancer?.localityLbSetting
  const wish = own === undefined ? distributions[distributionOf(service)] : undefined
  const zoneAware = policy.loadBalancer?.zoneAwareLbSetting ?? ((own ?? wish) === undefined ? snapshot.mesh.zoneAwareLb : undefined)
  if (zoneAware !== undefined) return zonePlacement(zoneAware, proxy, snapshot)
  const setting = own ?? wish ?? snapshot.mesh.localityLb ?? none
  const tiers = policy.outlierDetection !== undefined || wish !== undefined
  const shares = (setting.distribute ?? []).length > 0
  if (setting.enabled === false || (!tiers && !shares)) return nowhere
  const place = placeOf(proxy, snapshot)
  const wanted = shares ? [] : (setting.failoverPriority ?? [])
  const labels = wanted.length === 0 ? '' : JSON.stringify(labelsOf(proxy, snapshot, wanted))
  return place === '' && labels === '' ? nowhere : { setting, tiers, zoneAware: undefined, place, labels }
}

/** One that is turned off must say so to Envoy, which does it by itself once it knows of other proxies. */
function zonePlacement(zoneAware: ZoneAwareLbSetting, proxy: ProxyNode, snapshot: Snapshot): Placement {
  const { enabled = true, failover, failoverPriority = [] } = zoneAware
  const place = placeOf(proxy, snapshot)
  const labels = failoverPriority.length === 0 ? '' : JSON.stringify(labelsOf(proxy, snapshot, failoverPriority))
  if (!enabled || (place === '' && labels === '')) return { ...nowhere, zoneAware }
  return { setting: { failover, failoverPriority }, tiers: true, zoneAware, place, labels }
}

const zone: LocalityLbSetting = { failoverPriority: ['topology.istio.io/network', 'topology.kubernetes.io/region', 'topology.kubernetes.io/zone'] }
const node: LocalityLbSetting = { failoverPriority: [...zone.failoverPriority!, 'topology.istio.io/subzone', 'kubernetes.io/hostname'] }
const distributions: Readonly<Record<string, LocalityLbSetting | undefined>> = { PreferClose: zone, PreferSameZone: zone, PreferSameNode: node }

const distributionOf = ({ trafficDistribution, annotations }: Service): string =>
  trafficDistribution ?? annotations['networking.istio.io/traffic-distribution'] ?? ''

/** Where a client stands; empty when nobody knows. */
export const nodeOf = (proxy: Pick<ProxyNode, 'namespace' | 'name'>, { workloads }: Pick<Snapshot, 'workloads'>): string =>
  workloads.named(proxy.namespace, proxy.name)?.node ?? ''

const wishes = new WeakMap<object, boolean>()

/** Whether any service wants, or takes, clients of its own node alone: then the node of a client matters. */
export function prefersNodes({ services }: Pick<Snapshot, 'services'>): boolean {
  const known = wishes.get(services) ?? services.all.some((service) => service.nodeLocal === true || distributionOf(service) === 'PreferSameNode')
  wishes.set(services, known)
  return known
}

/** What a proxy's node says, else what is known of its workload; empty when nobody knows its region. */
export function placeOf(proxy: ProxyNode, snapshot: Snapshot): string {
  const { region, zone, subzone } = proxy.locality.region !== '' ? proxy.locality : (snapshot.workloads.named(proxy.namespace, proxy.name)?.locality ?? proxy.locality)
  return region === '' ? '' : `${region}/${zone}/${subzone}`
}

type LocalityConfig = Pick<NonNullable<Init<typeof ClusterSchema>['commonLbConfig']>, 'localityConfigSpecifier'>

/** What a cluster says of localities. */
export function localityConfig(placement: Placement): LocalityConfig {
  const { zoneAware } = placement
  if (zoneAware === undefined) return weighsLocalities(placement) ? { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } } : {}
  const { enabled = true, minClusterSize = 0 } = zoneAware
  const value = enabled ? { ...(minClusterSize > 0 && { minClusterSize: BigInt(minClusterSize) }) } : { routingEnabled: { value: 0 } }
  return { localityConfigSpecifier: { case: 'zoneAwareLbConfig', value } }
}

/** Whether localities are drawn by weight inside of a tier. */
export function weighsLocalities({ setting, tiers, zoneAware }: Placement): boolean {
  if (zoneAware !== undefined) return false
  if ((setting?.distribute ?? []).length > 0) return true
  return tiers && ((setting?.failover ?? []).length > 0 || (setting?.failoverPriority ?? []).length > 0)
}

function labelsOf(proxy: ProxyNode, snapshot: Snapshot, wanted: readonly string[]): Record<string, string> {
  const [region = '', zone = '', subzone = ''] = placeOf(proxy, snapshot).split('/')
  const all: Record<string, string> = {
    ...proxy.labels,
    'topology.kubernetes.io/region': region, 'topology.kubernetes.io/zone': zone, 'topology.istio.io/subzone': subzone,
    'topology.istio.io/network': proxy.network,
    'kubernetes.io/hostname': nodeOf(proxy, snapshot),
  }
  return Object.fromEntries(wanted.map((label) => {
    const [key = '', value] = label.split('=')
    return [key, value ?? all[key] ?? '']
  }))
}

/** Endpoints of one locality and tier, with the locality's weight among those of its tier. */
export interface Placed {
  readonly priority: number
  readonly locality: Locality
  readonly weight: number
  readonly endpoints: readonly Endpoint[]
}

const keyOf = ({ region, zone, subzone }: Locality): string => `${region}/${zone}/${subzone}`

export const weightOf = (one: Endpoint): number => Math.max(1, one.weight)

const weigh = (group: readonly Endpoint[]): number => group.reduce((sum, one) => sum + weightOf(one), 0)

/** In order of tiers, then of names. */
export function placeEndpoints(endpoints: readonly Endpoint[], placement: Placement): readonly Placed[] {
  const shares = sharesFor(placement)
  if (shares !== undefined) return distribute(byLocality(endpoints, 0), shares)
  const tierOf = placement.tiers && placement.setting !== undefined ? tierFunction(placement, placement.setting) : () => 0
  const tiers = [...Map.groupBy(endpoints, tierOf)].sort(([one], [other]) => one - other)
  return tiers.flatMap(([, group], priority) => byLocality(group, priority))
}

function byLocality(endpoints: readonly Endpoint[], priority: number): readonly Placed[] {
  return [...Map.groupBy(endpoints, (one) => keyOf(one.locality))]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, group]) => ({ priority, locality: group[0]!.locality, weight: weigh(group), endpoints: group }))
}

/** The first `distribute` that is for the client's place. */
function sharesFor({ setting, place }: Placement): Readonly<Record<string, number>> | undefined {
  return setting?.distribute?.find(({ from }) => isIn(place, from))?.to
}

/** Whether a place is in another: `r/*`, `r/z`, `*`. */
function isIn(place: string, pattern: string): boolean {
  const parts = place.split('/')
  return pattern.split('/').every((part, i) => part === '*' || part === '' || part === parts[i])
}

/** Localities that share one entry divide it in proportion; those without one get nothing. */
function distribute(groups: readonly Placed[], shares: Readonly<Record<string, number>>): readonly Placed[] {
  const entryOf = (group: Placed) => Object.keys(shares).find((to) => isIn(keyOf(group.locality), to))
  const totals = new Map<string, number>()
  for (const group of groups) {
    const entry = entryOf(group)
    if (entry !== undefined) totals.set(entry, (totals.get(entry) ?? 0) + group.weight)
  }
  return groups.flatMap((group) => {
    const entry = entryOf(group)
    return entry === undefined ? [] : [{ ...group, weight: Math.ceil((group.weight * shares[entry]!) / totals.get(entry)!) }]
  })
}

/** How many tiers localities make, when labels come first. */
const localityTiers = 5

function tierFunction({ place, labels, zoneAware }: Placement, { failover = [], failoverPriority = [] }: LocalityLbSetting): (endpoint: Endpoint) => number {
  const to = failover.find(({ from }) => from === place.split('/')[0])?.to
  const tierOf = zoneAware === undefined ? tierOfPlace : tierOfRegion
  const byPlace = (endpoint: Endpoint) => (place === '' ? 0 : tierOf(endpoint.locality, place, to))
  if (failoverPriority.length === 0) return byPlace
  const wanted = Object.entries(JSON.parse(labels) as Record<string, string>)
  const byLabels = (endpoint: Endpoint) => tierOfLabels(endpoint, wanted)
  return failover.length === 0 && zoneAware === undefined ? byLabels : (endpoint) => localityTiers * byLabels(endpoint) + byPlace(endpoint)
}

function tierOfPlace(locality: Locality, place: string, failoverTo: string | undefined): number {
  const [region, zone, subzone] = place.split('/')
  if (locality.region !== region) return failoverTo === undefined || locality.region === failoverTo ? 3 : 4
  if (locality.zone !== zone) return 2
  return locality.subzone === subzone ? 0 : 1
}

/** Zones are the proxy's own business: its region, where that fails over to, the rest. */
function tierOfRegion({ region }: Locality, place: string, failoverTo: string | undefined): number {
  if (region === place.split('/')[0]) return 0
  return region === failoverTo ? 1 : 2
}

/** The earlier a label differs, the farther away. */
function tierOfLabels({ labels }: Endpoint, wanted: readonly (readonly [string, string])[]): number {
  const first = wanted.findIndex(([key, value]) => (labels[key] ?? '') !== value)
  return first === -1 ? 0 : wanted.length - first
}
