// NDS as the proxy takes it: the names that its workload may look up, with their addresses, decoded for whoever answers
// look-ups. What it says about short names and search domains is Istio's (traffic spec 3.7).
import { fromBinary } from '@bufbuild/protobuf'
import { describe } from '../../lib/errors.ts'
import { NameTableSchema } from '../../proto/gen/istio/networking/nds/v1/nds_pb.ts'
import type { XdsUpdate } from '../main-updates.ts'

/** What one host name stands for. */
export interface NameAddresses {
  readonly ips: readonly string[]
  readonly registry: string
  /** Of a Service of Kubernetes; else empty. */
  readonly shortname: string
  readonly namespace: string
  /** Other names of the same. */
  readonly aliases: readonly string[]
}

/** By host name, fully qualified or a wildcard. */
export type NameTable = ReadonlyMap<string, NameAddresses>

/** The names of now, and how an update is taken: with the text of a NACK, or undefined. */
export interface NameTaker {
  readonly names: () => NameTable | undefined
  /** The first ones have come. */
  readonly whenNamed: Promise<void>
  readonly onNames: (update: XdsUpdate) => string | undefined
}

export function takeNames(tell: (names: NameTable) => void): NameTaker {
  let names: NameTable | undefined
  const { promise: whenNamed, resolve } = Promise.withResolvers<void>()
  const onNames: NameTaker['onNames'] = ({ resources, removed }) => {
    const last = resources.at(-1)
    if (last === undefined && removed.length === 0) return undefined
    try {
      names = last === undefined ? new Map() : decode(last.any.value)
      tell(names)
      resolve()
      return undefined
    } catch (error) {
      return `not a table of names: ${describe(error)}`
    }
  }
  return { names: () => names, whenNamed, onNames }
}

function decode(bytes: Uint8Array): NameTable {
  const { table } = fromBinary(NameTableSchema, bytes)
  return new Map(Object.entries(table).map(([host, { ips, registry, shortname, namespace, altHosts }]) => [host, { ips, registry, shortname, namespace, aliases: altHosts }]))
}
