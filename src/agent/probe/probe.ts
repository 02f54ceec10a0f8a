// How an application is asked whether it is well: what a probe is, and where this machine has the application. Who asks is ask.ts.
import type { Address } from '../../model/address.ts'

export interface HttpProbe {
  readonly kind: 'http'
  /** Empty: the workload's own address. */
  readonly host: string
  readonly port: number
  /** With a query, if there is one. */
  readonly path: string
  readonly tls: boolean
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export interface TcpProbe {
  readonly kind: 'tcp'
  readonly host: string
  readonly port: number
}

export interface GrpcProbe {
  readonly kind: 'grpc'
  readonly port: number
  readonly service: string
}

export interface ExecProbe {
  readonly kind: 'exec'
  readonly command: readonly string[]
}

export type Probe = HttpProbe | TcpProbe | GrpcProbe | ExecProbe

/** Where this machine has the application, and how it is reached. */
export interface ProbePlace {
  /** The workload's address. */
  readonly ip: string
  /** Where a port of the workload really is, unless it is at that address. */
  at(address: Address): Address
  /** The address that connections come from, where a redirect must not take them. */
  from(host: string): string | undefined
}

export interface Asking {
  readonly place: ProbePlace
  /** For the whole answer. */
  readonly timeoutMs: number
}

/** Undefined: it is well; else a sentence. Never rejects. */
export type Problem = string | undefined

/** Where the application of a probe is dialled. */
export function placeOf({ host, port }: { readonly host: string; readonly port: number }, { ip, at }: ProbePlace): Address {
  return at({ host: host === '' ? ip : host, port })
}
