// One gRPC call: an HTTP/2 stream's headers, messages, deadline and trailers, and the method that answers it.
import { constants } from 'node:http2'
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { Deframer } from '../../codec/grpc/deframer.ts'
import { GrpcCodecError } from '../../codec/grpc/errors.ts'
import { messagePrefix } from '../../codec/grpc/frame.ts'
import { encodeGrpcMessage } from '../../codec/grpc/message.ts'
import { parseGrpcTimeout } from '../../codec/grpc/timeout.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe, spawn } from '../../lib/errors.ts'
import type { GrpcLimits } from './grpc-limits.ts'
import { writeParts } from './grpc-write.ts'
import { GrpcError, grpcStatus } from './rpc.ts'
import type { CallHandler, Caller, Method, ServerCall, UnaryMethod } from './rpc.ts'

const contentType = 'application/grpc'

export interface CallContext {
  readonly caller: Caller
  readonly methods: ReadonlyMap<string, Method>
  readonly limits: GrpcLimits
  readonly clock: Clock
  readonly log: (line: string) => void
}

/** Answers a stream that is no gRPC with an HTTP status; undefined then. */
export function openCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, context: CallContext): Call | undefined {
  const status = httpRefusal(headers)
  if (status === undefined) return new Call(stream, headers, context)
  stream.on('error', () => stream.close())
  stream.respond({ ':status': status }, { endStream: true })
  closeAfterAnswer(stream)
  return undefined
}

/**
 * A client that may still be sending is told to stop. Node writes what answers it in the next turn, and Node 26 drops
 * that when the stream is closed before.
 */
function closeAfterAnswer(stream: ServerHttp2Stream): void {
  setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR))
}

function httpRefusal(headers: IncomingHttpHeaders): number | undefined {
  if (headers[':method'] !== 'POST') return 405
  return /^application\/grpc(\+proto)?(;|$)/i.test(headers['content-type'] ?? '') ? undefined : 415
}

export class Call implements ServerCall {
  readonly caller: Caller
  readonly path: string
  readonly #stream: ServerHttp2Stream
  readonly #context: CallContext
  readonly #deframer: Deframer
  #handler: CallHandler | undefined
  #cancelDeadline: (() => void) | undefined
  /** The last message that was queued; those before it are written first. */
  #sending: Promise<void> = Promise.resolve()
  #queued = 0
  #ended = false

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, context: CallContext) {
    this.caller = { ...context.caller, bearer: bearerOf(headers) }
    this.path = headers[':path'] ?? ''
    this.#stream = stream
    this.#context = context
    this.#deframer = new Deframer(context.limits.maxMessageBytes, (message) => this.#attempt(() => this.#handler?.onMessage(message)))
    stream.on('error', (error) => this.#context.log(`gRPC ${this.path}: ${describe(error)}`))
    stream.once('close', () => this.#closed())
    this.#attempt(() => this.#begin(headers))
  }

  send(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#ended || this.#stream.destroyed) return Promise.resolve()
    if (this.#queued >= this.#context.limits.maxQueuedMessages) {
      this.end(new GrpcError(grpcStatus.resourceExhausted, 'the client does not read what it asked for'))
      return Promise.resolve()
    }
    this.#respond()
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    this.#queued++
    this.#sending = this.#sending.then(() => writeParts(this.#stream, [messagePrefix(length), ...parts])).finally(() => this.#queued--)
    return this.#sending
  }

  end(error?: GrpcError): void {
    if (this.#ended || this.#stream.destroyed) return
    this.#ended = true
    this.#cancelDeadline?.()
    const status = { 'grpc-status': error?.status ?? grpcStatus.ok, ...(error !== undefined && { 'grpc-message': encodeGrpcMessage(error.message) }) }
    if (!this.#stream.headersSent) this.#endAtOnce(status)
    else spawn('end of a gRPC call', this.#endAfterMessages(status))
  }

  #begin(headers: IncomingHttpHeaders): void {
    const encoding = headers['grpc-encoding'] ?? 'identity'
    if (encoding !== 'identity') throw new GrpcError(grpcStatus.unimplemented, `messages compressed by ${String(encoding)} are not read; send them as they are`)
    const method = this.#context.methods.get(this.path)
    if (method === undefined) throw new GrpcError(grpcStatus.unimplemented, `no such method: ${this.path}`)
    this.#watchDeadline(headers['grpc-timeout'])
    this.#handler = method.kind === 'stream' ? method.open(this) : unaryHandler(method, this)
    if (method.kind === 'stream' && !this.#ended) this.#respond()
    this.#stream.on('data', (chunk: Uint8Array) => this.#attempt(() => !this.#ended && this.#deframer.push(chunk)))
    this.#stream.once('end', () => this.#attempt(() => {
      if (this.#ended) return
      this.#deframer.end()
      this.#handler?.onEnd()
    }))
  }

  #watchDeadline(header: string | string[] | undefined): void {
    if (header === undefined) return
    const ms = parseGrpcTimeout(String(header))
    if (ms === undefined) throw new GrpcError(grpcStatus.invalidArgument, `grpc-timeout ${JSON.stringify(header)} is not up to eight digits and one of H, M, S, m, u, n`)
    // Longer than a timer can be is as good as for ever.
    if (ms >= 2 ** 31) return
    this.#cancelDeadline = this.#context.clock.after(ms, () => this.end(new GrpcError(grpcStatus.deadlineExceeded, `not done within ${String(header)}`)))
  }

  #respond(): void {
    if (!this.#stream.headersSent) this.#stream.respond({ ':status': 200, 'content-type': contentType }, { waitForTrailers: true })
  }

  #endAtOnce(status: OutgoingHttpHeaders): void {
    this.#stream.respond({ ':status': 200, 'content-type': contentType, ...status }, { endStream: true })
    closeAfterAnswer(this.#stream)
  }

  /** A client that does not read its messages does not get its trailers either. */
  async #endAfterMessages(status: OutgoingHttpHeaders): Promise<void> {
    const cancel = this.#context.clock.after(this.#context.limits.drainMs, () => this.#stream.close(constants.NGHTTP2_CANCEL))
    this.#stream.once('close', cancel)
    await this.#sending
    if (this.#stream.destroyed) return
    this.#stream.once('wantTrailers', () => {
      this.#stream.sendTrailers(status)
      closeAfterAnswer(this.#stream)
    })
    this.#stream.end()
  }

  #closed(): void {
    this.#ended = true
    this.#cancelDeadline?.()
    const handler = this.#handler
    this.#handler = undefined
    this.#attempt(() => handler?.onClose())
  }

  #attempt(step: () => unknown): void {
    try {
      step()
    } catch (error) {
      this.end(this.failure(error))
    }
  }

  /** What the peer is told of anything thrown: our bugs are for our log only. */
  failure(error: unknown): GrpcError {
    if (error instanceof GrpcError) return error
    if (error instanceof GrpcCodecError) {
      return new GrpcError(error.code === 'grpc/too-large' ? grpcStatus.resourceExhausted : grpcStatus.internal, error.message)
    }
    this.#context.log(`gRPC ${this.path} failed: ${error instanceof Error ? error.stack ?? describe(error) : describe(error)}`)
    return new GrpcError(grpcStatus.internal, 'internal error; the control plane\'s log says more')
  }
}

function unaryHandler(method: UnaryMethod, call: Call): CallHandler {
  let request: Uint8Array | undefined
  const answer = async (message: Uint8Array): Promise<void> => {
    try {
      await call.send([await method.handle(message, call.caller)])
      call.end()
    } catch (error) {
      call.end(call.failure(error))
    }
  }
  return {
    onMessage(message) {
      if (request !== undefined) throw new GrpcError(grpcStatus.invalidArgument, `${method.path} takes one message, not several`)
      // The view's chunk may be reused for what comes next.
      request = Uint8Array.from(message)
    },
    onEnd() {
      if (request === undefined) throw new GrpcError(grpcStatus.invalidArgument, `${method.path} takes a message, but none came`)
      spawn(method.path, answer(request))
    },
    onClose() {
      request = undefined
    },
  }
}

function bearerOf(headers: IncomingHttpHeaders): string {
  return /^bearer +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1] ?? ''
}
