// What a route does to a request on its way upstream: header operations, host and path rewrites, the times and retries
// that hold for this one request, and what upstream and peers are told.
import { parseGrpcTimeout as readGrpcTimeout } from '../../codec/grpc/timeout.ts'
import type { Exchange } from './exchange.ts'
import type { ForwardAction } from './router/forward.ts'
import { applyHeaderEdits } from './router/header-edits.ts'
import { coversRequest, noRetry, withRequested } from './router/retry-policy.ts'
import type { CompiledRetry } from './router/retry-policy.ts'
import type { HttpDeps } from './runtime.ts'

export interface ForwardLimits {
  /** 0: none. */
  timeoutMs: number
  perTryTimeoutMs: number
  retry: CompiledRetry | undefined
}

/** To be called once for each request, before its first try. */
export function prepareForward(exchange: Exchange, action: ForwardAction, deps: HttpDeps): ForwardLimits {
  const limits = limitsOf(exchange, action)
  const target = exchange.target!
  if (target.edits.request.length > 0) applyHeaderEdits(target.edits.request, exchange.requestHeaders, exchange)
  if (target.rewriteHost !== undefined) rewriteHost(exchange, action)
  if (action.rewritePath !== undefined) rewritePath(exchange, action.rewritePath)
  const expected = limits.perTryTimeoutMs > 0 ? limits.perTryTimeoutMs : limits.timeoutMs
  if (expected > 0) exchange.requestHeaders.set('x-envoy-expected-rq-timeout-ms', String(expected))
  tellPeer(exchange, deps)
  return limits
}

function rewriteHost(exchange: Exchange, { appendForwardedHost }: ForwardAction): void {
  const rewrite = exchange.target!.rewriteHost
  const host = typeof rewrite === 'function' ? rewrite(exchange) : rewrite
  if (host === undefined || host === '' || host === exchange.authority) return
  if (appendForwardedHost) exchange.requestHeaders.add('x-forwarded-host', exchange.authority)
  exchange.requestHeaders.set('x-envoy-original-host', exchange.authority)
  if (exchange.askedAuthority === '') exchange.askedAuthority = exchange.authority
  exchange.authority = host
}

function rewritePath(exchange: Exchange, rewrite: (pathname: string) => string): void {
  const rewritten = rewrite(exchange.pathname)
  // Also where the rewrite changes nothing.
  exchange.requestHeaders.set('x-envoy-original-path', exchange.path)
  if (exchange.askedPath === '') exchange.askedPath = exchange.path
  if (rewritten !== exchange.pathname) exchange.setPath(exchange.query === '' ? rewritten : `${rewritten}?${exchange.query}`)
}

function limitsOf(exchange: Exchange, action: ForwardAction): ForwardLimits {
  const limits: ForwardLimits = {
    timeoutMs: timeoutOf(exchange, action),
    perTryTimeoutMs: action.retry?.perTryTimeoutMs ?? 0,
    retry: action.retry,
  }
  if (exchange.hasEnvoyHeaders) applyRequested(exchange, limits)
  if (limits.retry !== undefined && !coversRequest(limits.retry, exchange)) limits.retry = undefined
  // A try that may take longer than everything together has no limit of its own.
  if (limits.timeoutMs > 0 && limits.perTryTimeoutMs >= limits.timeoutMs) limits.perTryTimeoutMs = 0
  return limits
}

function timeoutOf(exchange: Exchange, { timeoutMs, maxGrpcTimeoutMs }: ForwardAction): number {
  if (!exchange.isGrpc || maxGrpcTimeoutMs === undefined) return timeoutMs
  const asked = parseGrpcTimeout(exchange.requestHeaders.get('grpc-timeout'))
  if (asked === undefined) return maxGrpcTimeoutMs === 0 ? timeoutMs : maxGrpcTimeoutMs
  return maxGrpcTimeoutMs === 0 ? asked : Math.min(asked, maxGrpcTimeoutMs)
}

/** Milliseconds, at least one; undefined when it is absent or makes no sense. */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const asked = text === undefined ? undefined : readGrpcTimeout(text)
  return asked === undefined ? undefined : Math.max(1, asked)
}

/** What a client inside the mesh asks for by header; the headers end here. */
function applyRequested({ requestHeaders }: Exchange, limits: ForwardLimits): void {
  const timeout = requestHeaders.get('x-envoy-upstream-rq-timeout-ms')
  const perTry = requestHeaders.get('x-envoy-upstream-rq-per-try-timeout-ms')
  const retryOn = requestHeaders.get('x-envoy-retry-on')
  const retryGrpcOn = requestHeaders.get('x-envoy-retry-grpc-on')
  const maxRetries = requestHeaders.get('x-envoy-max-retries')
  if (timeout !== undefined && isMilliseconds(timeout)) limits.timeoutMs = Number(timeout)
  if (perTry !== undefined && isMilliseconds(perTry)) limits.perTryTimeoutMs = Number(perTry)
  if (retryOn !== undefined || retryGrpcOn !== undefined || (maxRetries !== undefined && limits.retry !== undefined)) {
    limits.retry = withRequested(limits.retry ?? noRetry, {
      retryOn: `${retryOn ?? ''},${retryGrpcOn ?? ''}`, maxRetries,
      statusCodes: requestHeaders.get('x-envoy-retriable-status-codes'), headerNames: requestHeaders.get('x-envoy-retriable-header-names'),
    })
  }
  for (const name of consumed) requestHeaders.remove(name)
}

const isMilliseconds = (text: string): boolean => /^\d{1,9}$/.test(text)

const consumed = [
  'x-envoy-upstream-rq-timeout-ms', 'x-envoy-upstream-rq-per-try-timeout-ms', 'x-envoy-retry-on', 'x-envoy-retry-grpc-on',
  'x-envoy-max-retries', 'x-envoy-retriable-status-codes', 'x-envoy-retriable-header-names',
]

/** Outbound says who calls, and by what name; inbound, that ends. */
function tellPeer(exchange: Exchange, { direction, node }: HttpDeps): void {
  const { requestHeaders } = exchange
  if (direction === 'inbound') {
    if (exchange.hasEnvoyHeaders) requestHeaders.remove('x-envoy-decorator-operation')
    return
  }
  const operation = exchange.route!.operation
  if (operation !== '') requestHeaders.set('x-envoy-decorator-operation', operation)
  if (node === undefined || !isOfMesh(exchange)) return
  requestHeaders.add('x-envoy-peer-metadata-id', node.id)
  requestHeaders.add('x-envoy-peer-metadata', node.metadata)
}

/** Strangers are not told. */
const isOfMesh = ({ cluster, connection, authority }: Exchange): boolean =>
  cluster !== undefined && (cluster.service !== undefined || cluster.knows?.(connection.destinationOf(authority)) === true)
