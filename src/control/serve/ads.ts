// The aggregated discovery service: both variants on one source of resources. What happens on a stream is in ads-stream.ts.
import { describe } from '../../lib/errors.ts'
import type { WriteAudit } from '../../telemetry/audit/events.ts'
import { requireIdentity } from './ads-identity.ts'
import { AdsStream, proxyEvent } from './ads-stream.ts'
import type { Presence, Register } from './ads-stream.ts'
import { delta, sotw } from './ads-variant.ts'
import type { Variant } from './ads-variant.ts'
import type { ResourceSource } from './resource-source.ts'
import { GrpcError, grpcStatus } from './rpc.ts'
import type { Caller, Method, StreamMethod } from './rpc.ts'
import { Turns } from './turns.ts'

export interface AdsOptions {
  /** Who comes, and what is refused. */
  readonly log?: (line: string) => void
  readonly audit?: WriteAudit | undefined
  /** Without it, no proxy registers itself. */
  readonly register?: Register
  readonly missingKeys?: (sources: readonly string[]) => void
  /** Without it, proxies that are about to end are answered at once. */
  readonly presence?: Presence
}

const unwatched: Presence = { joined() {}, report() {}, leave: () => Promise.resolve() }

export function adsMethods(source: ResourceSource, { log = () => undefined, audit = () => undefined, register = () => undefined, missingKeys = () => undefined, presence = unwatched }: AdsOptions = {}): readonly Method[] {
  const turns = new Turns()
  const method = <Request>(variant: Variant<Request>): StreamMethod => ({
    kind: 'stream',
    path: variant.path,
    open(call) {
      if (!source.ready) throw new GrpcError(grpcStatus.unavailable, 'no source has delivered yet; try again')
      identified(call.caller, audit)
      return new AdsStream(call, variant, source, turns, { log, audit, register, missingKeys, presence })
    },
  })
  return [method(delta), method(sotw)]
}

function identified(caller: Caller, audit: WriteAudit): void {
  try {
    requireIdentity(caller)
  } catch (error) {
    audit(proxyEvent('proxy-refused', caller, '', describe(error)))
    throw error
  }
}
