// Says on every generated route, cluster and filter chain where it came from: `istio` as Istio does, and `trysail` with
// resource, rule, file and line, which is all that a proxy needs to explain itself.
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import type { Origin, Resource } from '../../model/resource.ts'
import type { Service } from '../../model/service.ts'
import { resourceKey } from '../../model/resource.ts'
import type { MetadataSchema } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'

export type Metadata = MessageInitShape<typeof MetadataSchema>

/**
 * Of clusters that go where their clients were going, read by our own proxies: `eds` tells whom they may meet there;
 * `mutual_tls` is how those are spoken to that any cluster knows.
 */
export type KnownEndpoints = 'eds' | 'mutual_tls'

export const passesToKnown: Metadata = { filterMetadata: { trysail: { known_endpoints: 'mutual_tls' satisfies KnownEndpoints } } }

/** What something was built from. `rule` and `match` are indexes into spec.http and its match list. */
export interface Provenance {
  readonly resource: string
  readonly origin: Origin
  readonly rule?: number
  readonly match?: number
  readonly istio?: JsonObject
  readonly knownEndpoints?: KnownEndpoints
}

export function metadataOf(from: Provenance): Metadata {
  const trysail: JsonObject = { resource: from.resource, file: from.origin.file, line: from.origin.line }
  if (from.rule !== undefined) trysail['rule'] = from.rule
  if (from.match !== undefined) trysail['match'] = from.match
  if (from.knownEndpoints !== undefined) trysail['known_endpoints'] = from.knownEndpoints
  return { filterMetadata: { ...(from.istio === undefined ? {} : { istio: from.istio }), trysail } }
}

export function serviceProvenance(service: Service): Provenance {
  const kind = service.registry === 'Kubernetes' ? 'Service' : service.registry === 'External' ? 'ServiceEntry' : service.registry
  return { resource: resourceKey(kind, service.namespace, service.name), origin: service.origin }
}

export function resourceProvenance(resource: Resource): Provenance {
  const { namespace, name } = resource.metadata
  return { resource: resourceKey(resource.kind, namespace, name), origin: resource.origin }
}

/** `/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews`. */
export function configPath(resource: Resource): string {
  const kind = resource.kind.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
  const { namespace, name } = resource.metadata
  return `/apis/${resource.apiVersion.replace(/\/v1(alpha3|beta1)$/, '/v1')}/namespaces/${namespace}/${kind}/${name}`
}
