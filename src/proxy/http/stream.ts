// The life of one request: filters, route, answer or upstream, response. It drives the Exchange, which remembers.
//
//   begin -> filters -> route's own answer ------------------------> reply -> end
//                   `-> upstream tries (upstream-tries.ts) -> head -> body -> end
//   The client may vanish and time may run out at any point: see onGone and onTick. The limits are in stream-time.ts.
import type { HeaderList } from '../../codec/header-list.ts'
import { askAnotherHeader, mayAskAnother } from './ask-another.ts'
import type { Downstream } from './downstream.ts'
import { after, changesBody } from './chain.ts'
import type { FilterChain, FilterChains } from './chain.ts'
import type { Exchange } from './exchange.ts'
import { BodyWish } from './filter.ts'
import type { FilterResult, LocalReply } from './filter.ts'
import { flag, parseFlags } from './flags.ts'
import { WebSocketHalf, endsNow, wholeEnd } from './goodbye.ts'
import { buildReply } from './local-reply.ts'
import { RequestBody } from './request-body.ts'
import { bodyTooLong, filterFailed, noRoute, noRouteTable, requestTimeout, unsupportedUpgrade } from './rescue.ts'
import { finishResponseHeaders } from './response-headers.ts'
import { chooseRoute, forgetRoute, mayUpgrade } from './route-choice.ts'
import type { HttpRuntime } from './runtime.ts'
import type { ForwardAction } from './router/forward.ts'
import { applyHeaderEdits } from './router/header-edits.ts'
import type { HeaderEdit } from './router/header-edits.ts'
import { StreamTime } from './stream-time.ts'
import { UpstreamTries } from './upstream-tries.ts'

/** A filter that waits for the body. */
interface Wishing {
  readonly wish: BodyWish
  readonly chain: FilterChain
  readonly at: number
}

const nothing = Buffer.alloc(0)

/** What is held back while a filter or a connection is waited for; then the client has to wait too. */
const heldBackBytes = 64 * 1024

export class HttpStream extends StreamTime {
  readonly #downstream: Downstream
  #chain: FilterChain | undefined = undefined
  #tries: UpstreamTries | undefined = undefined
  /** Body that came while filters were waited for. */
  #early: RequestBody | undefined = undefined
  #wishing: Wishing | undefined = undefined
  #trailers: HeaderList | undefined = undefined
  /** What the server says, once this has become a WebSocket. */
  #webSocket: WebSocketHalf | undefined = undefined
  #headSent = false
  #ended = false
  #requestPaused = false

  constructor(runtime: HttpRuntime, exchange: Exchange, downstream: Downstream) {
    super(runtime, exchange)
    this.#downstream = downstream
  }

  get ended(): boolean {
    return this.#ended
  }

  get headSent(): boolean {
    return this.#headSent
  }

  // --- The request ---

  begin(): void {
    this.limitSilence()
    const chain = this.#chooseRoute()
    if (chain.length > 0) this.exchange.slots = chain.emptySlots.slice()
    this.#runFilters(chain, 0)
  }

  #chooseRoute(): FilterChain {
    const { exchange, runtime } = this
    const chain = (this.#chain = chooseRoute(exchange, runtime))
    // Filters may make the body longer or shorter.
    if (exchange.bodyLength > 0 && changesBody(chain.onRequestData, exchange)) exchange.bodyLength = -1
    this.limitDuration()
    return chain
  }

  /** A filter changed what routes look at. The filters behind it are those of the new route. */
  #chooseAgain(before: FilterChain, at: number): void {
    const { exchange } = this
    forgetRoute(exchange)
    const chain = this.#chooseRoute()
    if (exchange.slots.length === 0 && chain.length > 0) exchange.slots = chain.emptySlots.slice()
    this.#runFilters(chain, after(before.places[at]!, chain))
  }

  /** `bytes` are only valid during the call. */
  onBody(bytes: Buffer, at: number, end: number): void {
    if (this.#ended) return
    this.exchange.bytesReceived += end - at
    this.notSilent()
    const hooks = this.#chain?.onRequestData
    if (hooks === undefined || hooks.length === 0) return this.#sendBody(bytes, at, end)
    let piece = bytes.subarray(at, end)
    for (const filter of hooks) piece = filter.onRequestData(this.exchange, piece)
    if (piece.length > 0) this.#sendBody(piece, 0, piece.length)
  }

  onRequestEnd(trailers: HeaderList | undefined): void {
    if (this.#ended) return
    this.exchange.requestComplete = true
    this.#trailers = trailers
    this.startTimeout()
    if (this.#wishing !== undefined) return this.#seeBody(this.#wishing)
    this.#tries?.onRequestEnd(trailers)
  }

  /** The client can take more of the response. */
  onWritable(): void {
    this.#tries?.resumeResponse()
  }

  /** The client is gone, or broke the protocol in the middle of its request. */
  onGone(flags: number, details: string): void {
    if (this.#ended) return
    this.exchange.flags |= flags
    this.exchange.responseCodeDetails = details
    this.#tries?.giveUp()
    this.#end()
  }

  /** Policies have changed: what those that hold now do not allow ends. */
  recheck(chains: Pick<FilterChains, 'of'>): void {
    if (this.#ended) return
    const { exchange } = this
    const action = exchange.route?.action
    const { recheck } = chains.of(exchange.target ?? (action?.kind === 'reply' ? action : undefined))
    for (const filter of recheck) {
      const reply = filter.recheck(exchange)
      if (reply !== undefined) return this.#headSent ? this.cutOff(0, reply.details) : this.reply(reply)
    }
  }

  // --- Filters and route ---

  #runFilters(chain: FilterChain, from: number): void {
    for (let i = from; i < chain.onRequest.length; i++) {
      const result = chain.onRequest[i]!.onRequest(this.exchange)
      if (result !== undefined) return this.#onResult(result, chain, i)
      if (this.exchange.routeCleared) return this.#chooseAgain(chain, i)
    }
    this.#act()
  }

  #onResult(result: FilterResult, chain: FilterChain, at: number): void {
    if (result instanceof Promise) return this.#awaitFilter(result, chain, at)
    if (result instanceof BodyWish) return this.#seeBody((this.#wishing = { wish: result, chain, at }))
    if (result !== undefined) this.reply(result)
    else if (this.exchange.routeCleared) this.#chooseAgain(chain, at)
    else this.#runFilters(chain, at + 1)
  }

  #awaitFilter(result: Promise<LocalReply | undefined>, chain: FilterChain, at: number): void {
    result.then(
      (reply) => {
        if (!this.#ended) this.#onResult(reply, chain, at)
      },
      () => {
        if (!this.#ended) this.reply(filterFailed)
      },
    )
  }

  /** Goes on when there is as much as the filter wants, or too much. */
  #seeBody({ wish: { maxBytes, partial, decide }, chain, at }: Wishing): void {
    const bytes = this.#early?.bytes ?? 0
    const { requestComplete, bodyLength } = this.exchange
    const whole = bytes <= maxBytes && (requestComplete || bytes === bodyLength)
    if (!whole && (partial ? bytes < maxBytes : bytes <= maxBytes)) return
    this.#wishing = undefined
    if (!whole && !partial) return this.reply(bodyTooLong)
    if (bytes >= heldBackBytes) this.pauseRequest()
    this.#onResult(decide({ bytes: this.#early?.beginning(maxBytes) ?? nothing, whole }), chain, at)
  }

  #act(): void {
    const { route } = this.exchange
    if (route === undefined) return this.reply(this.runtime.routes.current === undefined ? noRouteTable : noRoute)
    if (this.exchange.upgrade !== '' && !mayUpgrade(this.exchange, this.runtime.config)) return this.reply(unsupportedUpgrade)
    const action = route.action
    if (action.kind === 'reply') this.reply(action.replyTo(this.exchange), action.edits.response)
    else this.#forward(action)
  }

  #forward(action: ForwardAction): void {
    const tries = new UpstreamTries(this, action, this.#early)
    this.#early = undefined
    this.#tries = tries
    if (this.exchange.requestComplete) tries.onRequestEnd(this.#trailers)
    tries.begin()
  }

  #sendBody(bytes: Buffer, at: number, end: number): void {
    if (this.#tries !== undefined) return this.#tries.sendBody(bytes, at, end)
    this.#early ??= new RequestBody()
    this.#early.keep(bytes, at, end)
    if (this.#wishing !== undefined) this.#seeBody(this.#wishing)
    else if (this.#early.bytes >= heldBackBytes) this.pauseRequest()
  }

  pauseRequest(): void {
    if (this.#requestPaused) return
    this.#requestPaused = true
    this.#downstream.pauseRequest()
  }

  resumeRequest(): void {
    if (!this.#requestPaused) return
    this.#requestPaused = false
    this.#downstream.resumeRequest()
  }

  // --- The response ---

  informational(status: number, headers: HeaderList): void {
    if (!this.#headSent) this.#downstream.writeInformational(status, headers)
  }

  /** The head of a response that goes to the client, from upstream or our own. */
  sendHead(status: number, headers: HeaderList, bodyLength: number, edits: readonly HeaderEdit[] | undefined): void {
    const { exchange, runtime } = this
    exchange.responseCode = status
    // What has become another protocol takes as long as it likes.
    if (status === 101) {
      this.limitTime(0)
      if (exchange.upgrade === 'websocket') this.#webSocket = new WebSocketHalf()
    }
    exchange.responseHeaders = headers
    this.notSilent()
    if (edits !== undefined && edits.length > 0) applyHeaderEdits(edits, headers, exchange)
    const hooks = this.#chain?.onResponse
    if (hooks !== undefined) for (let i = 0; i < hooks.length; i++) hooks[i]!.onResponse(exchange, headers)
    finishResponseHeaders(headers, runtime, exchange)
    this.#headSent = true
    const changes = bodyLength > 0 && this.#chain !== undefined && changesBody(this.#chain.onResponseData, exchange)
    this.#downstream.writeHead(status, headers, changes ? -1 : bodyLength)
  }

  /** False: the client cannot keep up. */
  sendData(bytes: Buffer, at: number, end: number): boolean {
    if (this.#ended) return true
    this.notSilent()
    const hooks = this.#chain?.onResponseData
    if (hooks === undefined || hooks.length === 0) return this.#writeData(bytes, at, end)
    let piece = bytes.subarray(at, end)
    for (const filter of hooks) piece = filter.onResponseData(this.exchange, piece)
    return piece.length === 0 ? true : this.#writeData(piece, 0, piece.length)
  }

  #writeData(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.#webSocket !== undefined) return this.#writeFrames(this.#webSocket, bytes, at, end)
    this.exchange.bytesSent += end - at
    return this.#downstream.writeData(bytes, at, end)
  }

  #writeFrames(webSocket: WebSocketHalf, bytes: Uint8Array, at: number, end: number): boolean {
    const passed = webSocket.pass(bytes, at, end)
    this.exchange.bytesSent += passed - at
    const writable = passed === at || this.#downstream.writeData(bytes, at, passed)
    const farewell = webSocket.farewell()
    return farewell === undefined ? writable : this.#downstream.writeData(farewell, 0, farewell.length)
  }

  sendEnd(trailers: HeaderList | undefined): void {
    if (this.#ended) return
    const hooks = this.#chain?.onResponseEnd
    if (hooks !== undefined && hooks.length > 0) this.#completeBody(hooks, trailers)
    this.#end()
    this.#downstream.writeEnd(trailers === undefined || trailers.size === 0 ? undefined : trailers)
  }

  #completeBody(hooks: FilterChain['onResponseEnd'], trailers: HeaderList | undefined): void {
    for (const filter of hooks) {
      const bytes = filter.onResponseEnd(this.exchange, trailers)
      if (bytes !== undefined) this.#writeData(bytes, 0, bytes.length)
    }
  }

  /** An answer of our own, when none has begun. */
  reply(reply: LocalReply, edits?: readonly HeaderEdit[]): void {
    if (this.#ended) return
    const { exchange } = this
    this.#tries?.giveUp()
    exchange.flags |= parseFlags(reply.flags)
    exchange.responseCodeDetails = reply.details
    const { status, headers, body } = buildReply(reply, exchange, edits)
    this.sendHead(status, headers, body?.length ?? 0, exchange.isGrpc ? undefined : edits)
    if (body !== undefined && exchange.method !== 'HEAD') this.#writeData(body, 0, body.length)
    this.sendEnd(undefined)
  }

  /** A response that has begun cannot be finished. */
  cutOff(flags: number, details: string): void {
    if (this.#ended) return
    this.exchange.flags |= flags
    this.exchange.responseCodeDetails = details
    this.#tries?.giveUp()
    this.#end()
    this.#downstream.abort()
  }

  /** The proxy ends soon: what lives long is told in its own way; at the `last` moment whoever waits is answered. */
  announceEnd(last: boolean): void {
    if (this.#ended) return
    if (this.#webSocket !== undefined) {
      const farewell = this.#webSocket.leave()
      if (farewell !== undefined) this.#downstream.writeData(farewell, 0, farewell.length)
    } else if (this.#headSent) this.#endWhole()
    else if (last) this.reply({ ...endsNow, headers: mayAskAnother('connection-termination', this.exchange, this.runtime.deps.direction) ? askAnotherHeader : [] })
  }

  #endWhole(): void {
    const end = wholeEnd(this.exchange)
    if (end === undefined) return
    this.exchange.flags |= flag.LR
    this.exchange.responseCodeDetails = endsNow.details
    this.#tries?.giveUp()
    this.sendEnd(end.trailers)
  }

  // --- Its end ---

  nextDue(): number {
    return this.#tries === undefined ? this.firstLimit() : Math.min(this.firstLimit(), this.#tries.tryDeadline)
  }

  onTick(now: number): void {
    const reply = this.timeUp(now)
    if (reply === undefined) return this.#tries?.onTick(now)
    if (reply === requestTimeout) this.#tries?.onTimeout()
    if (this.#headSent) this.cutOff(parseFlags(reply.flags), reply.details)
    else this.reply(reply)
  }

  #end(): void {
    const { exchange, runtime } = this
    this.#ended = true
    this.#early = undefined
    this.#wishing = undefined
    runtime.deadlines.delete(this)
    exchange.endTime = runtime.deps.clock.now()
    const hooks = this.#chain?.onEnd
    if (hooks !== undefined) for (let i = 0; i < hooks.length; i++) hooks[i]!.onEnd(exchange)
    runtime.onExchangeEnd(exchange)
  }
}
