// The aggregated discovery service: both variants on one source of resources. What happens on a stream is in ads-stream.ts.
import { requireIdentity } from './ads-identity.ts'
import { AdsStream } from './ads-stream.ts'
import { delta, sotw } from './ads-variant.ts'
import type { Variant } from './ads-variant.ts'
import type { ResourceSource } from './resource-source.ts'
import { GrpcError, grpcStatus } from './rpc.ts'
import type { Method, StreamMethod } from './rpc.ts'
import { Turns } from './turns.ts'

export interface AdsOptions {
  /** Who comes, and what is refused. */
  readonly log?: (line: string) => void
}

export function adsMethods(source: ResourceSource, { log = () => undefined }: AdsOptions = {}): readonly Method[] {
  const turns = new Turns()
  const method = <Request>(variant: Variant<Request>): StreamMethod => ({
    kind: 'stream',
    path: variant.path,
    open(call) {
      if (!source.ready) throw new GrpcError(grpcStatus.unavailable, 'no source has delivered yet; try again')
      requireIdentity(call.caller)
      return new AdsStream(call, variant, source, turns, log)
    },
  })
  return [method(delta), method(sotw)]
}
