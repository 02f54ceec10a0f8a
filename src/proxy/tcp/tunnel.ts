// Asks an HTTP proxy behind a fresh connection for a tunnel (CONNECT, RFC 9110 §9.3.6, or POST), and hands the connection on
// once that is granted. Nothing of the client's is sent before.
import { describe } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Transport, TransportHandler } from '../../net/transport.ts'
import { PostTunnel } from './post-tunnel.ts'

export interface TunnelWaiter {
  /** `early`: what came behind the answer already; it is not told to the transport's handler. */
  onTunnel(transport: Transport, early: Buffer): void
  onFailure(detail: string): void
}

export interface TunnelRequest {
  /** `host:port`. */
  readonly target: string
  readonly method: 'CONNECT' | 'POST'
  readonly timeoutMs: number
  readonly clock: Clock
}

/** Of the answer's head: far more than any proxy says. */
const maxHeadBytes = 16_384
const headEnd = '\r\n\r\n'

/** One of the two is called exactly once. The result gives up: then neither is. */
export function openTunnel(transport: Transport, request: TunnelRequest, waiter: TunnelWaiter): () => void {
  const asking = request.method === 'POST' ? new PostTunnel(transport, request, waiter) : new Asking(transport, request, waiter)
  return () => asking.giveUp()
}

class Asking implements TransportHandler {
  readonly #transport: Transport
  readonly #waiter: TunnelWaiter
  readonly #cancelTimeout: () => void
  #received = ''
  #over = false

  constructor(transport: Transport, { target, timeoutMs, clock }: TunnelRequest, waiter: TunnelWaiter) {
    this.#transport = transport
    this.#waiter = waiter
    this.#cancelTimeout = clock.after(timeoutMs, () => this.#fail(`no answer to CONNECT within ${timeoutMs} ms`))
    transport.handler = this
    transport.writeLatin1(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}${headEnd}`)
    transport.resume()
  }

  giveUp(): void {
    if (!this.#end()) return
    this.#transport.destroy()
  }

  onData(bytes: Buffer, length: number): void {
    if (this.#over) return
    this.#received += bytes.toString('latin1', 0, length)
    const end = this.#received.indexOf(headEnd)
    if (end !== -1) this.#answered(this.#received.slice(0, end), this.#received.slice(end + headEnd.length))
    else if (this.#received.length > maxHeadBytes) this.#fail(`the answer to CONNECT is longer than ${maxHeadBytes} bytes`)
  }

  onDrain(): void {}

  onEnd(): void {
    this.#fail('the connection ended before CONNECT was answered')
  }

  onClose(error: Error | undefined): void {
    this.#fail(error === undefined ? 'the connection was closed before CONNECT was answered' : describe(error))
  }

  #answered(head: string, early: string): void {
    const status = /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head)?.[1]
    if (status?.startsWith('2') !== true) return this.#fail(`CONNECT was answered with ${head.split('\r\n', 1)[0]!.slice(0, 100)}`)
    if (!this.#end()) return
    this.#transport.pause()
    this.#waiter.onTunnel(this.#transport, Buffer.from(early, 'latin1'))
  }

  #fail(detail: string): void {
    if (!this.#end()) return
    this.#transport.destroy()
    this.#waiter.onFailure(detail)
  }

  /** False: it was over already. */
  #end(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#cancelTimeout()
    return true
  }
}
