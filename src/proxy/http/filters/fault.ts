// Fault injection: delays and aborts, drawn independently (traffic spec 2.7). Delay comes first; its time is not part of
// the route's timeout, and aborts are not retried.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import { HTTPFaultSchema } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { FaultAbort, HTTPFault } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { FaultDelay } from '../../../proto/gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts'
import { milliseconds } from '../../xds/duration.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter, FilterResult, LocalReply } from '../filter.ts'
import { flag } from '../flags.ts'
import { probabilityOf } from '../router/fraction.ts'
import { headerCondition } from '../router/header-condition.ts'
import { matchesAll } from '../router/match.ts'
import type { Condition } from '../router/request.ts'
import { badConfig } from '../router/problem.ts'
import type { FilterContext, FilterKind } from './table.ts'

interface Delay {
  /** Undefined: the request says how long. */
  readonly ms: number | undefined
  readonly probability: number
}

interface Abort {
  /** For gRPC requests and for others; undefined: the request says. */
  readonly reply: LocalReply | undefined
  readonly plain: LocalReply | undefined
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
    return new FaultFilter(message, delay, abort, context)
  },
}

class FaultFilter implements Filter {
  readonly name = 'fault'
  readonly #conditions: readonly Condition[]
  readonly #message: HTTPFault
  readonly #delay: Delay | undefined
  readonly #abort: Abort | undefined
  readonly #context: FilterContext
  /** Requests that are held back now, of `max_active_faults`. */
  #active = 0

  constructor(message: HTTPFault, delay: Delay | undefined, abort: Abort | undefined, context: FilterContext) {
    this.#conditions = message.headers.map(headerCondition)
    this.#message = message
    this.#delay = delay
    this.#abort = abort
    this.#context = context
  }

  onRequest(exchange: Exchange): FilterResult {
    if (!this.#applies(exchange)) return undefined
    const ms = this.#drawDelay(exchange)
    if (ms === undefined) return this.#drawAbort(exchange)
    exchange.flags |= flag.DI
    this.#active++
    return new Promise((resolve) => this.#context.clock.after(ms, () => {
      this.#active--
      resolve(this.#drawAbort(exchange))
    }))
  }

  #applies(exchange: Exchange): boolean {
    const { upstreamCluster, downstreamNodes, maxActiveFaults } = this.#message
    if (upstreamCluster !== '' && upstreamCluster !== exchange.target?.clusterName) return false
    if (downstreamNodes.length > 0 && !downstreamNodes.includes(exchange.requestHeaders.get('x-envoy-downstream-service-node') ?? '')) return false
    if (maxActiveFaults !== undefined && this.#active >= maxActiveFaults) return false
    return matchesAll(this.#conditions, exchange, this.#context.random)
  }

  #drawDelay({ requestHeaders }: Exchange): number | undefined {
    const delay = this.#delay
    if (delay === undefined) return undefined
    const ms = delay.ms ?? numberIn(requestHeaders, 'x-envoy-fault-delay-request')
    return ms !== undefined && ms > 0 && this.#draws(delay.probability, requestHeaders, 'x-envoy-fault-delay-request-percentage') ? ms : undefined
  }

  #drawAbort(exchange: Exchange): LocalReply | undefined {
    const abort = this.#abort
    if (abort === undefined) return undefined
    const reply = abort.plain === undefined ? askedAbort(exchange) : exchange.isGrpc ? abort.reply : abort.plain
    if (reply === undefined || !this.#draws(abort.probability, exchange.requestHeaders, 'x-envoy-fault-abort-request-percentage')) return undefined
    exchange.flags |= flag.FI
    return reply
  }

  /** A request may ask for a smaller share than is configured, never for a larger one. */
  #draws(configured: number, headers: HeaderList, name: string): boolean {
    const asked = numberIn(headers, name)
    const probability = asked === undefined ? configured : Math.min(configured, asked / 100)
    return this.#context.random() < probability
  }
}

function numberIn(headers: HeaderList, name: string): number | undefined {
  const text = headers.get(name)
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

/** `x-envoy-fault-abort-request: 503`, or a gRPC status. */
function askedAbort({ requestHeaders, isGrpc }: Exchange): LocalReply | undefined {
  const status = numberIn(requestHeaders, 'x-envoy-fault-abort-request')
  if (status !== undefined && status >= 200 && status < 600) return plainAbort(status)
  const grpcStatus = numberIn(requestHeaders, 'x-envoy-fault-abort-grpc-request')
  if (grpcStatus === undefined) return undefined
  return isGrpc ? grpcAbort(grpcStatus) : plainAbort(200)
}

function unpack(any: Any): HTTPFault {
  const message = anyUnpack(any, HTTPFaultSchema)
  if (message === undefined) throw badConfig(`${any.typeUrl} is not a fault configuration`)
  return message
}

function delayOf({ faultDelaySecifier: { case: kind, value }, percentage }: FaultDelay): Delay {
  if (kind === 'headerDelay') return { ms: undefined, probability: probabilityOf(percentage) }
  if (kind !== 'fixedDelay') throw badConfig(`delay: of kind ${kind ?? 'none'} is not supported`)
  return { ms: milliseconds(value), probability: probabilityOf(percentage) }
}

function abortOf({ errorType: { case: kind, value }, percentage }: FaultAbort): Abort {
  const probability = probabilityOf(percentage)
  switch (kind) {
    case 'headerAbort': return { reply: undefined, plain: undefined, probability }
    case 'httpStatus': return { reply: plainAbort(value), plain: plainAbort(value), probability }
    case 'grpcStatus': return { reply: grpcAbort(value), plain: plainAbort(200), probability }
    default: throw badConfig(`abort: of kind ${kind ?? 'none'} is not supported`)
  }
}

const plainAbort = (status: number): LocalReply => ({ status, body: 'fault filter abort', details: 'fault_filter_abort', flags: 'FI', headers: [], grpcStatus: undefined })

const grpcAbort = (status: number): LocalReply => ({
  ...plainAbort(200), body: '', grpcStatus: status,
  headers: ['content-type', 'application/grpc', 'grpc-status', String(status), 'grpc-message', 'fault filter abort'],
})
