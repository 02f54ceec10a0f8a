// Sends one request upstream, again if the route's retry policy says so, and hands the response on. Never again once the
// response's head has gone to the client, and never with a body that is not whole any more.
import type { HeaderList } from '../../codec/header-list.ts'
import type { Caution } from '../upstream/pool/idle-limit.ts'
import type { Cluster, Host, ResetReason, ResponseReader, StreamWaiter, UpstreamStream } from '../upstream/types.ts'
import { prepareForward } from './forward-headers.ts'
import type { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import { flag } from './flags.ts'
import { chooseHost } from './host-choice.ts'
import { resultOf, timedOut } from './host-result.ts'
import { Mirrors } from './mirrors.ts'
import { RequestBody } from './request-body.ts'
import { hasTransportReason, noCluster, noHealthyHost, perTryTimeout, resetAfterHead, upstreamReset } from './rescue.ts'
import { prepareResponseHeaders } from './response-headers.ts'
import { clusterNameOf } from './router/forward.ts'
import type { ForwardAction } from './router/forward.ts'
import { hashOf } from './router/hash-policy.ts'
import { backOffMs, retriesReset, retriesResponse, retriesTimeout, saidWaitMs } from './router/retry-policy.ts'
import type { CompiledRetry } from './router/retry-policy.ts'
import { askAnotherHeader, mayAskAnother, mayAskTwice, retriesAnother, takeAskAnother } from './ask-another.ts'
import type { HttpStream } from './stream.ts'

/** Held while no connection is there; then the client waits. */
const heldBackBytes = 64 * 1024

/** A host that stops closes all that it kept. After the first one that was met, connections are new: two of them may meet its end. */
const maxStale = 3

export class UpstreamTries implements ResponseReader, StreamWaiter {
  caution: Caution = 'any'
  /** When this try has had its time. */
  tryDeadline = Infinity
  readonly #stream: HttpStream
  readonly #exchange: Exchange
  readonly #action: ForwardAction
  #cluster: Cluster | undefined = undefined
  #retry: CompiledRetry | undefined = undefined
  #perTryMs = 0
  #body: RequestBody | undefined
  #bodyEnded = false
  /** What wants to become another protocol waits until the host has agreed: it would be read as a request otherwise. */
  #holds = false
  #trailers: HeaderList | undefined = undefined
  #upstream: UpstreamStream | undefined = undefined
  #mirrors: Mirrors | undefined = undefined
  #timeoutMs = 0
  #cancel: (() => void) | undefined = undefined
  #responsePaused = false
  /** The cluster's retry budget counts this try. */
  #isRetry = false
  /** How often the connection was closed already when the request went out on it. */
  #stale = 0
  #over = false

  /** `early`: body that is there already. */
  constructor(stream: HttpStream, action: ForwardAction, early: RequestBody | undefined) {
    this.#stream = stream
    this.#body = early
    this.#exchange = stream.exchange
    this.#holds = stream.exchange.upgrade !== ''
    this.#action = action
  }

  begin(): void {
    const exchange = this.#exchange
    const { deps } = this.#stream.runtime
    const name = clusterNameOf(exchange.target!, exchange)
    const cluster = deps.clusters(name)
    exchange.clusterName = cluster === undefined ? '' : name
    if (cluster === undefined) return this.#fail(noCluster(this.#action.notFoundStatus))
    this.#cluster = cluster
    exchange.cluster = cluster
    const { timeoutMs, perTryTimeoutMs, retry } = prepareForward(exchange, this.#action, deps)
    if (this.#action.hash !== undefined && exchange.hash === undefined) exchange.hash = hashOf(this.#action.hash, exchange)
    this.#retry = retry
    this.#perTryMs = perTryTimeoutMs
    this.#timeoutMs = timeoutMs
    if (!mayAskTwice(exchange)) this.caution = 'sure'
    this.#stream.limitTime(timeoutMs)
    this.#try()
  }

  // --- A try ---

  #try(): void {
    const exchange = this.#exchange
    const host = chooseHost(exchange, this.#cluster!, this.#retry)
    if (host === undefined) return this.#fail(noHealthyHost)
    exchange.attempts++
    if (exchange.virtualHost!.countAttempts) exchange.requestHeaders.set('x-envoy-attempt-count', String(exchange.attempts))
    if (exchange.attempts > 1 && this.#timeoutMs > 0) this.#tellTimeLeft()
    exchange.host = host
    exchange.upstreamTransportFailureReason = ''
    if (exchange.attempts === 1 && this.#action.mirrors.length > 0 && !this.#holds) this.#startMirrors()
    if (this.#bodyEnded) this.#startTryTimeout()
    this.#request(host)
  }

  /** Of the time for all tries some is gone. */
  #tellTimeLeft(): void {
    const left = Math.max(1, Math.round(this.#stream.timeLeftMs()))
    this.#exchange.requestHeaders.set('x-envoy-expected-rq-timeout-ms', String(this.#perTryMs > 0 ? Math.min(left, this.#perTryMs) : left))
  }

  #startMirrors(): void {
    this.#mirrors = Mirrors.start(this.#action.mirrors, this.#exchange, this.#stream.runtime, this.#timeoutMs, this.#body)
    if (this.#bodyEnded) this.#mirrors?.sendEnd(this.#trailers)
  }

  #request(host: Host): void {
    const cancel = this.#cluster!.request(host, this, this, this.#exchange.authority, this.#exchange.connection)
    if (this.#upstream === undefined && this.#cancel === undefined && !this.#over) this.#cancel = cancel
  }

  onStream(upstream: UpstreamStream): void {
    this.#cancel = undefined
    if (this.#over) return upstream.reset()
    const exchange = this.#exchange
    this.#upstream = upstream
    exchange.upstreamAddress = upstream.localAddress
    exchange.upstreamTls = upstream.tls
    upstream.sendHead(exchange)
    if (!this.#holds) this.#sendKept(upstream)
  }

  #sendKept(upstream: UpstreamStream): void {
    const body = this.#body
    let writable = true
    if (body !== undefined) {
      for (const piece of body.pieces) writable = upstream.sendBody(piece, 0, piece.length) && writable
      if (!this.#keepsBody()) body.drop()
    }
    if (this.#upstream !== upstream) return
    if (this.#bodyEnded) upstream.sendEnd(this.#trailers)
    else if (writable) this.#stream.resumeRequest()
    else this.#stream.pauseRequest()
  }

  #keepsBody(): boolean {
    return this.#retry !== undefined && this.#retry.triggers !== 0 && this.#body?.whole !== false && !this.#stream.headSent
  }

  // --- The request's body ---

  sendBody(bytes: Buffer, at: number, end: number): void {
    const upstream = this.#upstream
    this.#mirrors?.sendBody(bytes, at, end)
    if (upstream === undefined || this.#holds || this.#keepsBody()) this.#keep(bytes, at, end)
    if (upstream !== undefined && !this.#holds && !upstream.sendBody(bytes, at, end)) this.#stream.pauseRequest()
  }

  #keep(bytes: Buffer, at: number, end: number): void {
    const body = (this.#body ??= new RequestBody())
    body.keep(bytes, at, end)
    if (this.#upstream === undefined || this.#holds) {
      if (body.bytes >= heldBackBytes) this.#stream.pauseRequest()
    } else if (body.bytes > RequestBody.maxBytes) body.drop()
  }

  onRequestEnd(trailers: HeaderList | undefined): void {
    this.#bodyEnded = true
    this.#trailers = trailers
    this.#exchange.upstreamStartTime = this.#stream.runtime.deps.clock.now()
    this.#startTryTimeout()
    this.#mirrors?.sendEnd(trailers)
    if (!this.#holds) this.#upstream?.sendEnd(trailers)
  }

  onWritable(): void {
    this.#stream.resumeRequest()
  }

  // --- The response ---

  onInformational(status: number, headers: HeaderList): void {
    // The client has heard our own 100; others would only confuse it unless it can tell what they are about.
    if (!this.#stream.runtime.config.proxy100Continue) return
    prepareResponseHeaders(headers, this.#exchange, status)
    this.#stream.informational(status, headers)
  }

  onHead(status: number, headers: HeaderList, bodyLength: number): void {
    const exchange = this.#exchange
    exchange.host!.onResult(resultOf(status, headers, exchange.isGrpc))
    const another = status === 503 && takeAskAnother(headers)
    if (this.#retry !== undefined && (retriesResponse(this.#retry, status, headers) || (another && retriesAnother(this.#retry))) && this.#tryAgain(headers)) return
    this.tryDeadline = Infinity
    const upgraded = this.#holds && status === 101
    this.#holds = false
    if (!upgraded) this.#body?.drop()
    prepareResponseHeaders(headers, exchange, status)
    for (const cookie of exchange.newCookies) headers.add('set-cookie', cookie)
    exchange.responseCodeDetails = 'via_upstream'
    exchange.upstreamHeadTime = this.#stream.runtime.deps.clock.now()
    if (this.#bodyEnded) headers.set('x-envoy-upstream-service-time', String(Math.max(0, exchange.upstreamHeadTime - exchange.upstreamStartTime)))
    if (exchange.virtualHost!.countAttemptsInResponse) headers.set('x-envoy-attempt-count', String(exchange.attempts))
    this.#stream.sendHead(status, headers, bodyLength, exchange.target!.edits.response)
    if (upgraded && this.#upstream !== undefined) this.#sendKept(this.#upstream)
  }

  onData(bytes: Buffer, at: number, end: number): void {
    if (this.#over || this.#stream.sendData(bytes, at, end) || this.#upstream === undefined) return
    this.#responsePaused = true
    this.#upstream.pauseResponse()
  }

  resumeResponse(): void {
    if (!this.#responsePaused) return
    this.#responsePaused = false
    this.#upstream?.resumeResponse()
  }

  onEnd(trailers: HeaderList | undefined): void {
    const upstream = this.#upstream
    this.#over = true
    this.#upstream = undefined
    this.#endRetry()
    if (!this.#bodyEnded) {
      upstream?.reset()
      this.#mirrors?.cutOff()
    }
    if (trailers !== undefined) this.#exchange.grpcStatus = trailers.get('grpc-status') ?? this.#exchange.grpcStatus
    this.#stream.sendEnd(trailers)
  }

  // --- Failure ---

  onReset(reason: ResetReason, detail: string, begun: boolean): void {
    if (this.#over) return
    const reused = this.#upstream?.reused === true
    this.#upstream = undefined
    const untouched = !begun && reason === 'connection-termination'
    if ((reused || untouched) && this.#asksAgain(reason, begun)) return
    this.#onFailure(reason, detail, begun)
  }

  /**
   * The peer closed a connection that was kept just as the request went out on it, or went away (GOAWAY) before it looked
   * at the request: bad luck, and no failure of the host. What may safely be asked twice (RFC 9110 §9.2.1), or was not asked
   * once, is asked again, whatever the route says of retries, as the same try.
   */
  #asksAgain(reason: ResetReason, begun: boolean): boolean {
    const { bodyLength, bytesReceived } = this.#exchange
    const isSafe = reason === 'remote-refused' || (reason === 'connection-termination' && (!begun || mayAskTwice(this.#exchange)))
    const isThere = bodyLength === 0 || (this.#body?.bytes ?? 0) === bytesReceived
    if (this.#stream.headSent || !isThere || !isSafe || this.#stale >= maxStale) return false
    this.#stale++
    this.caution = 'new'
    this.#request(this.#exchange.host!)
    return true
  }

  onFailure(reason: ResetReason, detail: string): void {
    this.#cancel = undefined
    if (!this.#over) this.#onFailure(reason, detail, false)
  }

  #onFailure(reason: ResetReason, detail: string, begun: boolean): void {
    const exchange = this.#exchange
    if (reason !== 'overflow') exchange.host!.onResult({ kind: 'local', reason })
    exchange.upstreamTransportFailureReason = hasTransportReason(reason) ? detail : ''
    if (this.#stream.headSent) {
      const { flags, details } = resetAfterHead(reason)
      return this.#stream.cutOff(flags, details)
    }
    if (this.#retry !== undefined && retriesReset(this.#retry, reason, begun) && this.#tryAgain()) return
    const reply = upstreamReset(reason, detail, exchange.attempts > 1)
    this.#fail(mayAskAnother(reason, exchange, this.#stream.runtime.deps.direction) ? { ...reply, headers: askAnotherHeader } : reply)
  }

  /** The route's own time is up. */
  onTimeout(): void {
    if (!this.#stream.headSent) this.#exchange.host?.onResult(timedOut)
  }

  onTick(now: number): void {
    if (now < this.tryDeadline) return
    this.tryDeadline = Infinity
    this.#exchange.host!.onResult(timedOut)
    if (this.#retry !== undefined && retriesTimeout(this.#retry) && this.#tryAgain()) return
    this.#fail(perTryTimeout)
  }

  #startTryTimeout(): void {
    if (this.#perTryMs === 0 || this.#stream.headSent) return
    this.tryDeadline = this.#stream.runtime.deps.clock.now() + this.#perTryMs
    this.#stream.watchTime()
  }

  /** False: this was the last try, and its outcome is the answer. */
  #tryAgain(response?: HeaderList): boolean {
    const retry = this.#retry!
    const { deps } = this.#stream.runtime
    const exchange = this.#exchange
    if (this.#stream.headSent || this.#body?.whole === false) return false
    this.#endRetry()
    if (exchange.attempts > retry.maxRetries) {
      exchange.flags |= flag.URX
      return false
    }
    if (!this.#cluster!.tryRetry()) {
      exchange.flags |= flag.UO
      return false
    }
    this.#isRetry = true
    this.#release()
    this.tryDeadline = Infinity
    const said = response === undefined || retry.waitHeaders.length === 0 ? undefined : saidWaitMs(retry, response, Date.now(), deps.random)
    this.#cancel = deps.clock.after(said ?? backOffMs(retry, exchange.attempts, deps.random), () => {
      this.#cancel = undefined
      if (!this.#over) this.#try()
    })
    return true
  }

  #endRetry(): void {
    if (!this.#isRetry) return
    this.#isRetry = false
    this.#cluster!.retryDone()
  }

  /** Header operations of the route are for its responses, not for ours (so it is in Envoy). */
  #fail(reply: LocalReply): void {
    const { attempts, virtualHost } = this.#exchange
    const counts = attempts > 0 && virtualHost!.countAttemptsInResponse
    this.#stream.reply(counts ? { ...reply, headers: [...reply.headers, 'x-envoy-attempt-count', String(attempts)] } : reply)
  }

  /** Whatever is under way is not wanted any more; nothing is heard of it again. */
  giveUp(): void {
    this.#over = true
    if (!this.#bodyEnded) this.#mirrors?.cutOff()
    this.#endRetry()
    this.#release()
  }

  #release(): void {
    const cancel = this.#cancel
    const upstream = this.#upstream
    this.#cancel = undefined
    this.#upstream = undefined
    this.#responsePaused = false
    cancel?.()
    upstream?.reset()
  }
}
