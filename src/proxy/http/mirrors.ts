// Copies of one request, on their way to mirrors. They never hold the request up and never fail it: each has its own
// bounded queue, is given up when that is full, and nobody reads what it answers (traffic spec 1.2.4).
import { HeaderList } from '../../codec/header-list.ts'
import type { ChoiceContext, ClientAddresses, Cluster, Host, RequestHead, ResetReason, ResponseReader, StreamWaiter, UpstreamStream } from '../upstream/types.ts'
import type { Due } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import { timedOut } from './host-result.ts'
import { RequestBody } from './request-body.ts'
import { clusterOfMirror, draws, shadowAuthority } from './router/mirror-policy.ts'
import type { CompiledMirror } from './router/mirror-policy.ts'
import type { HttpRuntime } from './runtime.ts'

/** Of copies that are under way at once in a proxy: what is beyond cannot be worth the memory. */
const maxOpen = 1024

/** For routes without a timeout: a mirror that does not answer must not be waited for for ever. */
const defaultLimitMs = 60_000

/** All copies of one request. */
export class Mirrors {
  readonly #copies: readonly Mirror[]

  private constructor(copies: readonly Mirror[]) {
    this.#copies = copies
  }

  /** Once the request's head is what goes upstream. Undefined: nothing is copied. `early`: body that is there already. */
  static start(policies: readonly CompiledMirror[], exchange: Exchange, runtime: HttpRuntime, timeoutMs: number, early: RequestBody | undefined): Mirrors | undefined {
    const copies: Mirror[] = []
    for (const policy of policies) {
      if (!draws(policy, runtime.deps.random)) continue
      const copy = startCopy(policy, exchange, runtime, timeoutMs === 0 ? defaultLimitMs : timeoutMs)
      if (copy !== undefined) copies.push(copy)
    }
    if (copies.length === 0) return undefined
    const mirrors = new Mirrors(copies)
    for (const piece of early?.pieces ?? []) mirrors.sendBody(piece, 0, piece.length)
    return mirrors
  }

  sendBody(bytes: Buffer, at: number, end: number): void {
    for (const copy of this.#copies) copy.sendBody(bytes, at, end)
  }

  sendEnd(trailers: HeaderList | undefined): void {
    for (const copy of this.#copies) copy.sendEnd(trailers)
  }

  /** The rest of the request will never come. Copies that are complete go on by themselves. */
  cutOff(): void {
    for (const copy of this.#copies) copy.cutOff()
  }
}

function startCopy(policy: CompiledMirror, exchange: Exchange, runtime: HttpRuntime, limitMs: number): Mirror | undefined {
  const { counters, deps } = runtime
  const cluster = deps.clusters(clusterOfMirror(policy, exchange))
  const host = cluster?.chooseHost(anyHost)
  if (cluster === undefined || host === undefined || counters.mirrorsOpen >= maxOpen) {
    counters.mirrorsDropped++
    return undefined
  }
  const copy = new Mirror(headOf(exchange, policy), host, runtime, limitMs)
  copy.start(cluster, exchange.connection)
  return copy
}

const anyHost: ChoiceContext = { hash: undefined, originalDestination: undefined, tried: [] }

function headOf({ method, scheme, path, authority, requestHeaders, bodyLength, sendZeroLength, connection }: Exchange, { shadowHost }: CompiledMirror): RequestHead {
  const headers = new HeaderList()
  headers.copyFrom(requestHeaders)
  const { host } = connection.localAddress
  const forwarded = headers.joined('x-forwarded-for')
  headers.set('x-forwarded-for', forwarded === undefined ? host : `${forwarded},${host}`)
  headers.set('x-envoy-internal', 'true')
  return { method, scheme, path, authority: shadowHost ? shadowAuthority(authority) : authority, headers, bodyLength, sendZeroLength }
}

class Mirror implements ResponseReader, StreamWaiter, Due {
  listIndex = -1
  readonly #head: RequestHead
  readonly #host: Host
  readonly #runtime: HttpRuntime
  readonly #deadline: number
  /** What the mirror cannot take yet. */
  #queue = new RequestBody()
  #upstream: UpstreamStream | undefined = undefined
  #cancel: (() => void) | undefined = undefined
  #blocked = true
  #complete = false
  #trailers: HeaderList | undefined = undefined
  #over = false

  constructor(head: RequestHead, host: Host, runtime: HttpRuntime, limitMs: number) {
    this.#head = head
    this.#host = host
    this.#runtime = runtime
    this.#deadline = runtime.deps.clock.now() + limitMs
  }

  /** A mirror that speaks what its clients speak is to be asked in what this one speaks; it is told of none. */
  start(cluster: Cluster, client: ClientAddresses): void {
    const { counters, deadlines } = this.#runtime
    counters.mirrored++
    counters.mirrorsOpen++
    deadlines.add(this)
    const cancel = cluster.request(this.#host, this, this, this.#head.authority, client.http2 === true ? client : undefined)
    if (this.#upstream === undefined && !this.#over) this.#cancel = cancel
  }

  // --- The request ---

  sendBody(bytes: Buffer, at: number, end: number): void {
    if (this.#over) return
    if (!this.#blocked) this.#blocked = !this.#upstream!.sendBody(bytes, at, end)
    else if (this.#queue.bytes + end - at > RequestBody.maxBytes) this.#giveUp()
    else this.#queue.keep(bytes, at, end)
  }

  sendEnd(trailers: HeaderList | undefined): void {
    if (this.#over || this.#complete) return
    this.#complete = true
    this.#trailers = trailers
    if (!this.#blocked) this.#upstream!.sendEnd(trailers)
  }

  cutOff(): void {
    if (!this.#complete) this.#giveUp()
  }

  // --- Its connection ---

  onStream(upstream: UpstreamStream): void {
    this.#cancel = undefined
    if (this.#over) return upstream.reset()
    this.#upstream = upstream
    upstream.sendHead(this.#head)
    this.onWritable()
  }

  onWritable(): void {
    const { pieces } = this.#queue
    this.#queue = new RequestBody()
    this.#blocked = false
    for (const piece of pieces) this.sendBody(piece, 0, piece.length)
    if (this.#complete && !this.#blocked && !this.#over) this.#upstream!.sendEnd(this.#trailers)
  }

  onFailure(reason: ResetReason): void {
    this.#cancel = undefined
    if (this.#over) return
    this.#tellHost(reason)
    this.#runtime.counters.mirrorsDropped++
    this.#end()
  }

  nextDue(): number {
    return this.#deadline
  }

  onTick(now: number): void {
    if (now < this.#deadline) return
    this.#host.onResult(timedOut)
    this.#giveUp()
  }

  // --- The response, which nobody reads ---

  onInformational(): void {}

  onHead(status: number): void {
    this.#host.onResult({ kind: 'response', status })
  }

  onData(): void {}

  onEnd(): void {
    const upstream = this.#upstream
    if (this.#over) return
    this.#end()
    if (!this.#complete) upstream?.reset()
  }

  onReset(reason: ResetReason): void {
    if (this.#over) return
    this.#tellHost(reason)
    this.#end()
  }

  #tellHost(reason: ResetReason): void {
    if (reason !== 'overflow') this.#host.onResult({ kind: 'local', reason })
  }

  #giveUp(): void {
    if (this.#over) return
    const upstream = this.#upstream
    const cancel = this.#cancel
    this.#runtime.counters.mirrorsDropped++
    this.#end()
    cancel?.()
    upstream?.reset()
  }

  #end(): void {
    this.#over = true
    this.#upstream = undefined
    this.#cancel = undefined
    this.#queue = new RequestBody()
    this.#runtime.counters.mirrorsOpen--
    this.#runtime.deadlines.delete(this)
  }
}
