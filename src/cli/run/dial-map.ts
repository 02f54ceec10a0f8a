// Where addresses of the mesh really are on this machine: a workload's own address is its sidecar's inbound port.
import type { DialMap } from '../../agent/env-capture.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'

/** A workload with a sidecar here. */
export interface LocalWorkload {
  readonly address: string
  /** By containerPort. */
  readonly inbound: ReadonlyMap<number, Address>
}

export function dialMapOf(workloads: Iterable<LocalWorkload>): DialMap {
  const map = new Map<string, Address>()
  for (const { address, inbound } of workloads) {
    for (const [port, at] of inbound) map.set(formatAddress({ host: address, port }), at)
  }
  return map
}
