// What runs on this machine, as others see it: plain values for people, tools and tests.
import { formatSpiffeId } from '../../model/spiffe-id.ts'
import { GatewayUnit } from './gateway-unit.ts'
import type { GatewayDoor } from './gateway-places.ts'
import { NetnsGateway } from './netns/gateway.ts'
import type { NetnsProcess } from './netns/process.ts'
import { SidecarUnit } from './sidecar-unit.ts'
import type { SupervisorState } from './supervisor.ts'

export type ProcessUnit = SidecarUnit | NetnsProcess
export type Unit = ProcessUnit | GatewayUnit | NetnsGateway

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

export function processShown({ wanted, pid, state, inbound }: ProcessUnit, trustDomain: string): MeshProcess {
  const { name, namespace, serviceAccount } = wanted
  return {
    name, namespace, pid, state,
    identity: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
    inbound,
  }
}

export function gatewaysShown({ wanted: { name, namespace }, listening }: GatewayUnit | NetnsGateway): readonly MeshGateway[] {
  return listening.map((door) => ({ name, namespace, ...door }))
}

/** What of it is not up yet, in words. */
export function missingOf(unit: Unit): readonly string[] {
  const { wanted } = unit
  if (unit instanceof NetnsGateway) return unit.proxy?.serves === true ? [] : [`gateway ${wanted.key}`]
  if (unit instanceof GatewayUnit) return unit.proxy?.state === 'LIVE' ? [] : [`gateway ${wanted.key}`]
  const up = unit instanceof SidecarUnit && wanted.command.length === 0 ? wanted.proxyType === 'none' || unit.proxy?.state === 'LIVE' : unit.state === 'ready'
  return up ? [] : [`process ${wanted.key} (${unit.state})`]
}
