// What routes are made in: for whom, at which gateway and port, and what is known of the services that they name.
import type { Service } from '../../../model/service.ts'
import { MeshError } from '../../../lib/errors.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { resolveHost } from '../../hosts.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { Destination } from '../../virtual-service-spec.ts'
import { outboundCluster } from '../names.ts'

export interface RouteContext {
  readonly mesh: MeshSettings
  readonly clientNamespace: string
  readonly clientLabels: Readonly<Record<string, string>>
  /** `mesh`, or the gateways that serve this table. */
  readonly gateways: readonly string[]
  /** The service port that requests arrive on, or the port of a gateway's server. */
  readonly port: number
  readonly listensForTls: boolean
  serviceAt(hostname: string): Service | undefined
  /** The client's DestinationRule for a service, for the hash policy of its routes. */
  ruleOf(service: Service): MergedRule | undefined
  /** A VirtualService that rules may be delegated to. */
  delegateAt(namespace: string, name: string): VirtualService | undefined
}

export type TranslateCode = 'control/not-translatable'

/** A part of a resource that has no translation: the resource is held, the others go on. */
export function notTranslatable(message: string): MeshError<TranslateCode> {
  return new MeshError('control/not-translatable', message)
}

export interface ResolvedDestination {
  readonly hostname: string
  readonly port: number
  readonly subset: string
  readonly cluster: string
  readonly service: Service | undefined
}

/** The cluster of a destination. One that does not exist answers 503 with flag NC when it is used. */
export function resolveDestination(destination: Destination, owner: VirtualService, context: RouteContext): ResolvedDestination {
  const named = resolveHost(destination.host, owner.metadata.namespace, context.mesh.domain)
  const service = context.serviceAt(named)
  const hostname = service?.hostname ?? named
  const only = service?.ports.length === 1 ? service.ports[0]!.number : undefined
  const port = destination.port?.number ?? only ?? context.port
  const subset = destination.subset ?? ''
  return { hostname, port, subset, cluster: outboundCluster(port, subset, hostname), service }
}
