// Where a workload runs: region, zone and subzone, and its network (traffic spec 5.2).
import type { Locality } from '../../model/service.ts'

type Labels = Readonly<Record<string, string>>

export const nowhere: Locality = Object.freeze({ region: '', zone: '', subzone: '' })

const networkLabel = 'topology.istio.io/network'
const subzoneLabel = 'topology.istio.io/subzone'

/** The workload's own label wins over those of its node. It has dots or slashes: `region.zone.subzone`. */
export function localityOf(labels: Labels, nodeLabels: Labels | undefined): Locality {
  const own = labels['istio-locality']
  if (own !== undefined && own !== '') return parseLocality(own.includes('/') ? own : own.replaceAll('.', '/'))
  return localityOfLabels(labels) ?? (nodeLabels === undefined ? undefined : localityOfLabels(nodeLabels)) ?? nowhere
}

function localityOfLabels(labels: Labels): Locality | undefined {
  const region = labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? ''
  const zone = labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? ''
  const subzone = labels[subzoneLabel] ?? ''
  return region === '' && zone === '' && subzone === '' ? undefined : { region, zone, subzone }
}

/** `region/zone/subzone`, the rest of which may be missing. */
export function parseLocality(text: string): Locality {
  if (text === '') return nowhere
  const [region = '', zone = '', ...subzone] = text.split('/')
  return { region, zone, subzone: subzone.join('/') }
}

export function networkOf(labels: Labels, ofMesh: string): string {
  return labels[networkLabel] ?? ofMesh
}

/** What Istio adds to the labels of an endpoint, so that subsets can select by place. */
export function withPlace(labels: Labels, locality: Locality, network: string, node: string): Labels {
  const place = {
    ...(locality.region !== '' && { 'topology.kubernetes.io/region': locality.region }),
    ...(locality.zone !== '' && { 'topology.kubernetes.io/zone': locality.zone }),
    ...(locality.subzone !== '' && { [subzoneLabel]: locality.subzone }),
    ...(network !== '' && { [networkLabel]: network }),
    ...(node !== '' && { 'kubernetes.io/hostname': node }),
  }
  return Object.keys(place).length === 0 ? labels : { ...labels, ...place }
}
