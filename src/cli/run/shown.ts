// What runs on this machine, as others see it: plain values for people, tools and tests.
import { formatAddress } from '../../model/address.ts'
import { formatSpiffeId } from '../../model/spiffe-id.ts'
import { GatewayUnit } from './gateway-unit.ts'
import type { GatewayDoor } from './gateway-unit.ts'
import type { SidecarUnit } from './sidecar-unit.ts'
import type { SupervisorState } from './supervisor.ts'

export type Unit = SidecarUnit | GatewayUnit

export interface MeshProcess {
  readonly name: string
  readonly namespace: string
  readonly pid: number | undefined
  readonly state: SupervisorState
  /** Its SPIFFE id. */
  readonly identity: string
  /** Where its sidecar takes what peers send: `127.0.0.1:41000`, one for each port. */
  readonly inbound: readonly string[]
}

export interface MeshGateway extends GatewayDoor {
  readonly name: string
  readonly namespace: string
}

export function processShown({ wanted, pid, state, ports }: SidecarUnit, trustDomain: string): MeshProcess {
  const { name, namespace, serviceAccount } = wanted
  return {
    name, namespace, pid, state,
    identity: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
    inbound: [...ports.inbound.values()].map(formatAddress),
  }
}

export function gatewaysShown({ wanted: { name, namespace }, listening }: GatewayUnit): readonly MeshGateway[] {
  return listening.map((door) => ({ name, namespace, ...door }))
}

/** What of it is not up yet, in words. */
export function missingOf(unit: Unit): readonly string[] {
  const { wanted, proxy } = unit
  if (unit instanceof GatewayUnit) return proxy?.state === 'LIVE' ? [] : [`gateway ${wanted.key}`]
  const up = wanted.command.length === 0 ? wanted.proxyType === 'none' || proxy?.state === 'LIVE' : unit.state === 'ready'
  return up ? [] : [`process ${wanted.key} (${unit.state})`]
}
