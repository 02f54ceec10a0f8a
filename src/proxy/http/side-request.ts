// A request of the proxy's own to some cluster, while a request of somebody else waits for what it says. One try, a time
// limit, and an answer that is small.
import { HeaderList } from '../../codec/header-list.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ChoiceContext, Cluster, Host, RequestHead, ResetReason, ResponseReader, StreamWaiter, UpstreamStream } from '../upstream/types.ts'

export interface SideAnswer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
  readonly trailers: HeaderList | undefined
}

export interface SideQuestion {
  readonly head: RequestHead
  /** Small: it is sent in one piece. */
  readonly body?: Uint8Array | undefined
}

/** Undefined: there was no answer, or none in time, or one that is too long. Never rejects. */
export function askSide(cluster: Cluster, head: RequestHead, clock: Clock, timeoutMs: number, body?: Uint8Array): Promise<SideAnswer | undefined> {
  return new Promise((resolve) => new SideRequest(cluster, { head, body }, clock, timeoutMs, resolve).start())
}

/** What is longer is a page, not a verdict. */
const maxBodyBytes = 256 * 1024

const anyHost: ChoiceContext = { hash: undefined, originalDestination: undefined, tried: [] }

class SideRequest implements ResponseReader, StreamWaiter {
  readonly #cluster: Cluster
  readonly #question: SideQuestion
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #done: (answer: SideAnswer | undefined) => void
  #host: Host | undefined = undefined
  #upstream: UpstreamStream | undefined = undefined
  #cancel: () => void = () => {}
  #cancelTimeout: () => void = () => {}
  #status = 0
  #headers = new HeaderList()
  readonly #pieces: Buffer[] = []
  #bytes = 0
  #over = false

  constructor(cluster: Cluster, question: SideQuestion, clock: Clock, timeoutMs: number, done: (answer: SideAnswer | undefined) => void) {
    this.#cluster = cluster
    this.#question = question
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#done = done
  }

  start(): void {
    const host = this.#cluster.chooseHost(anyHost)
    if (host === undefined) return this.#end(undefined)
    this.#host = host
    if (this.#timeoutMs > 0) this.#cancelTimeout = this.#clock.after(this.#timeoutMs, () => this.#giveUp('timeout'))
    const cancel = this.#cluster.request(host, this, this, this.#question.head.authority)
    if (this.#upstream === undefined && !this.#over) this.#cancel = cancel
  }

  onStream(upstream: UpstreamStream): void {
    if (this.#over) return upstream.reset()
    this.#upstream = upstream
    const { head, body } = this.#question
    upstream.sendHead(head)
    if (body !== undefined) upstream.sendBody(body, 0, body.length)
    upstream.sendEnd(undefined)
  }

  onFailure(reason: ResetReason): void {
    if (reason !== 'overflow') this.#host?.onResult({ kind: 'local', reason })
    this.#end(undefined)
  }

  onInformational(): void {}

  onWritable(): void {}

  /** The list is the reader's own to keep; bodies are not. */
  onHead(status: number, headers: HeaderList): void {
    this.#host?.onResult({ kind: 'response', status })
    this.#status = status
    this.#headers = headers
  }

  onData(bytes: Buffer, at: number, end: number): void {
    if (this.#over) return
    this.#bytes += end - at
    if (this.#bytes > maxBodyBytes) return this.#giveUp(undefined)
    this.#pieces.push(Buffer.from(bytes.subarray(at, end)))
  }

  onEnd(trailers: HeaderList | undefined): void {
    this.#end({ status: this.#status, headers: this.#headers, body: Buffer.concat(this.#pieces), trailers })
  }

  onReset(reason: ResetReason): void {
    if (reason !== 'overflow') this.#host?.onResult({ kind: 'local', reason })
    this.#end(undefined)
  }

  #giveUp(reason: 'timeout' | undefined): void {
    if (this.#over) return
    if (reason !== undefined) this.#host?.onResult({ kind: 'local', reason })
    this.#cancel()
    this.#upstream?.reset()
    this.#end(undefined)
  }

  #end(answer: SideAnswer | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#cancelTimeout()
    this.#done(answer)
  }
}
