// Where addresses of the mesh really are on this machine: a workload's own address is its sidecar's inbound port, a
// gateway's the port where its listener stands. Looked up at every connection, since listeners come and go.
import type { DialMap } from '../../agent/env-capture.ts'
import { parseAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'

/** A workload with a proxy here. */
export interface LocalWorkload {
  readonly address: string
  /** Where its port is; undefined when it has no such. */
  doorAt(port: number): Address | undefined
}

export function dialMapOf(workloads: Iterable<LocalWorkload>): DialMap {
  const byAddress = new Map([...workloads].map((one) => [one.address, one]))
  return {
    get(text) {
      const at = parseAddress(text)
      return at === undefined ? undefined : byAddress.get(at.host)?.doorAt(at.port)
    },
  }
}
