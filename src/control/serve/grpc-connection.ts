// One client's HTTP/2 connection: its calls, the pings that find out whether it is still there, its age, its drain.
import { constants } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { describe } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import { openCall } from './grpc-call.ts'
import type { Call, CallContext } from './grpc-call.ts'
import { GrpcError, grpcStatus } from './rpc.ts'

export class GrpcConnection {
  /** Resolves when it is closed. */
  readonly closed: Promise<void>
  readonly #session: ServerHttp2Session
  readonly #context: CallContext
  readonly #calls = new Set<Call>()
  readonly #timers = new Map<'ping' | 'pong' | 'age' | 'drain', () => void>()
  #draining = false

  constructor(session: ServerHttp2Session, context: CallContext) {
    this.#session = session
    this.#context = context
    this.closed = new Promise((resolve) => session.once('close', () => {
      for (const cancel of this.#timers.values()) cancel()
      resolve()
    }))
    session.on('error', (error) => context.log(`gRPC connection of ${this.#peer}: ${describe(error)}`))
    session.on('stream', (stream, headers) => this.#open(stream, headers))
    this.#schedulePing()
    const { maxConnectionAgeMs } = context.limits
    this.#after('age', maxConnectionAgeMs * (0.9 + Math.random() * 0.2), () => this.drain('the connection is old; please make a new one'))
  }

  /** No new calls; open ones are asked to end, and cut off when they take too long. */
  drain(reason: string): void {
    if (this.#draining || this.#session.destroyed) return
    this.#draining = true
    this.#session.close()
    for (const call of this.#calls) if (this.#context.methods.get(call.path)?.kind === 'stream') call.end(new GrpcError(grpcStatus.unavailable, reason))
    this.#after('drain', this.#context.limits.drainMs, () => this.destroy())
  }

  destroy(): void {
    this.#session.destroy()
  }

  #open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    if (this.#calls.size >= this.#context.limits.maxStreamsPerConnection) {
      stream.on('error', () => stream.destroy())
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
      return
    }
    const call = openCall(stream, headers, this.#context)
    if (call === undefined) return
    this.#calls.add(call)
    stream.once('close', () => this.#calls.delete(call))
  }

  #schedulePing(): void {
    this.#after('ping', this.#context.limits.pingIntervalMs, () => this.#ping())
  }

  #ping(): void {
    if (this.#session.destroyed) return
    this.#after('pong', this.#context.limits.pingTimeoutMs, () => {
      this.#context.log(`gRPC connection of ${this.#peer}: no answer to a ping, closed`)
      this.destroy()
    })
    this.#session.ping((error) => {
      this.#timers.get('pong')?.()
      if (error === null) this.#schedulePing()
    })
  }

  #after(name: 'ping' | 'pong' | 'age' | 'drain', ms: number, run: () => void): void {
    this.#timers.get(name)?.()
    this.#timers.set(name, this.#context.clock.after(ms, run))
  }

  get #peer(): string {
    return formatAddress(this.#context.caller.remoteAddress)
  }
}
