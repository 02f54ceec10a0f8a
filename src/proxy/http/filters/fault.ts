// Fault injection: delays and aborts, drawn independently (traffic spec 2.7). Delay comes first; its time is not part of
// the route's timeout, and aborts are not retried.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import { HTTPFaultSchema } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { FaultAbort, HTTPFault } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { FaultDelay } from '../../../proto/gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts'
import { milliseconds } from '../../xds/duration.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter, FilterResult, LocalReply } from '../filter.ts'
import { flag } from '../flags.ts'
import { probabilityOf } from '../router/fraction.ts'
import { headerCondition } from '../router/header-condition.ts'
import { matchesAll } from '../router/match.ts'
import { badConfig } from '../router/problem.ts'
import type { FilterContext, FilterKind } from './table.ts'

interface Delay {
  readonly ms: number
  readonly probability: number
}

interface Abort {
  readonly reply: LocalReply
  /** For requests that are not gRPC. */
  readonly plain: LocalReply
  readonly probability: number
}

export const fault: FilterKind = {
  overrideType: HTTPFaultSchema.typeName,
  create(config, override, context) {
    const message = unpack(override ?? config)
    const delay = message.delay === undefined ? undefined : delayOf(message.delay)
    const abort = message.abort === undefined ? undefined : abortOf(message.abort)
    if (message.responseRateLimit !== undefined) throw badConfig('response_rate_limit is not served yet')
    if (delay === undefined && abort === undefined) return undefined
    return faultFilter(message, delay, abort, context)
  },
}

function faultFilter({ headers, upstreamCluster }: HTTPFault, delay: Delay | undefined, abort: Abort | undefined, { clock, random }: FilterContext): Filter {
  const conditions = headers.map(headerCondition)
  const applies = (exchange: Exchange): boolean =>
    (upstreamCluster === '' || upstreamCluster === exchange.target?.clusterName) && matchesAll(conditions, exchange, random)
  const drawAbort = (exchange: Exchange): LocalReply | undefined => {
    if (abort === undefined || random() >= abort.probability) return undefined
    exchange.flags |= flag.FI
    return exchange.isGrpc ? abort.reply : abort.plain
  }
  return {
    name: 'fault',
    onRequest(exchange): FilterResult {
      if (!applies(exchange)) return undefined
      if (delay === undefined || random() >= delay.probability) return drawAbort(exchange)
      exchange.flags |= flag.DI
      return new Promise((resolve) => clock.after(delay.ms, () => resolve(drawAbort(exchange))))
    },
  }
}

function unpack(any: Any): HTTPFault {
  const message = anyUnpack(any, HTTPFaultSchema)
  if (message === undefined) throw badConfig(`${any.typeUrl} is not a fault configuration`)
  return message
}

function delayOf({ faultDelaySecifier: { case: kind, value }, percentage }: FaultDelay): Delay {
  if (kind !== 'fixedDelay') throw badConfig(`delay: only fixed_delay is served, not ${kind ?? 'none'}`)
  return { ms: milliseconds(value), probability: probabilityOf(percentage) }
}

function abortOf({ errorType: { case: kind, value }, percentage }: FaultAbort): Abort {
  if (kind !== 'httpStatus' && kind !== 'grpcStatus') throw badConfig(`abort: only http_status and grpc_status are served, not ${kind ?? 'none'}`)
  const plain: LocalReply = {
    status: kind === 'httpStatus' ? value : 200, body: 'fault filter abort', details: 'fault_filter_abort', flags: 'FI', headers: [], grpcStatus: undefined,
  }
  const headers = ['content-type', 'application/grpc', 'grpc-status', String(value), 'grpc-message', 'fault filter abort']
  const reply = kind === 'httpStatus' ? plain : { ...plain, body: '', headers, grpcStatus: value }
  return { reply, plain, probability: probabilityOf(percentage) }
}
