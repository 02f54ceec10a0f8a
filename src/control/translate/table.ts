// All translators, by type and in the order in which a proxy takes the types: clusters before what is sent to them.
import { inboundClusters } from './cluster/inbound.ts'
import { outboundClusters } from './cluster/outbound.ts'
import { dnatClusters } from './cluster/sni-dnat.ts'
import { specialClusters } from './cluster/special.ts'
import { fleetEndpoints } from './endpoint/fleet.ts'
import { outboundEndpoints } from './endpoint/outbound.ts'
import { dnatEndpoints } from './endpoint/sni-dnat.ts'
import { gatewayListeners } from './listener/gateway.ts'
import { inboundListeners } from './listener/inbound.ts'
import { outboundListeners } from './listener/outbound.ts'
import { nameTable } from './name-table.ts'
import { readinessProbe } from './readiness-probe.ts'
import { gatewayRoutes } from './route/gateway.ts'
import { outboundRoutes } from './route/outbound.ts'
import { secrets } from './secret/kubernetes.ts'
import { meshTrust } from './secret/mesh-trust.ts'
import type { Translator } from './translator.ts'

export type TypeName = 'CDS' | 'EDS' | 'LDS' | 'RDS' | 'SDS' | 'NDS' | 'PCDS'

export const translators: Readonly<Record<TypeName, readonly Translator[]>> = {
  CDS: [specialClusters, outboundClusters, dnatClusters, inboundClusters],
  EDS: [outboundEndpoints, dnatEndpoints, fleetEndpoints],
  LDS: [outboundListeners, inboundListeners, gatewayListeners],
  RDS: [outboundRoutes, gatewayRoutes],
  SDS: [secrets, meshTrust],
  NDS: [nameTable],
  PCDS: [readinessProbe],
}

export const typeNames = Object.keys(translators) as readonly TypeName[]

export const typeUrls: Readonly<Record<TypeName, string>> = Object.fromEntries(
  typeNames.map((name) => [name, translators[name][0]!.typeUrl]),
) as Record<TypeName, string>

export function typeNameOf(typeUrl: string): TypeName | undefined {
  return typeNames.find((name) => typeUrls[name] === typeUrl)
}
