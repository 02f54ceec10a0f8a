// One call on a connection to the control plane, on a stream of node:http2: messages out and in, and exactly one end.
import { constants } from 'node:http2'
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { Deframer } from '../../codec/grpc/deframer.ts'
import { frameMessage } from '../../codec/grpc/frame.ts'
import { hasCode } from '../../lib/errors.ts'
import { httpStatusError, rpcError, statusOf } from './rpc-error.ts'
import type { RpcError } from './rpc-error.ts'

export interface CallHandler {
  onMessage(bytes: Uint8Array): void
  /** Once, and nothing follows; undefined is OK. Not after `cancel`. */
  onEnd(error: RpcError | undefined): void
}

/** What may wait for a server that does not read: requests are small, so that this is a server that hangs. */
const maxQueuedBytes = 16 * 1024 * 1024

export class Call {
  readonly #stream: ClientHttp2Stream
  readonly #handler: CallHandler
  readonly #deframer: Deframer
  #trailers: IncomingHttpHeaders | undefined
  #failure: RpcError | undefined
  #over = false

  constructor(stream: ClientHttp2Stream, maxMessageBytes: number, handler: CallHandler) {
    this.#stream = stream
    this.#handler = handler
    this.#deframer = new Deframer(maxMessageBytes, (message) => {
      if (!this.#over) handler.onMessage(message)
    })
    stream.on('response', (headers) => this.#onResponse(headers))
    stream.on('trailers', (headers) => (this.#trailers = headers))
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('end', () => this.#onEnd())
    stream.on('error', (error) => (this.#failure ??= rpcError('rpc/unavailable', 'the connection failed', innermost(error))))
    stream.on('close', () => this.#finish(this.#failure ?? rpcError('rpc/unavailable', `the stream was cut off${resetReason(stream.rstCode)}`)))
  }

  send(message: Uint8Array): void {
    if (this.#over) return
    if (this.#stream.writableLength > maxQueuedBytes) {
      return this.fail(rpcError('rpc/resource-exhausted', `the control plane does not read: ${this.#stream.writableLength} bytes wait for it`))
    }
    this.#stream.write(frameMessage(message))
  }

  /** Nothing more will be sent. */
  end(): void {
    if (!this.#over) this.#stream.end()
  }

  cancel(): void {
    this.#over = true
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  fail(error: RpcError): void {
    this.#finish(error)
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  #onResponse(headers: IncomingHttpHeaders): void {
    const wrong = httpStatusError(headers)
    if (wrong !== undefined) return this.fail(wrong)
    // An answer of headers alone carries the status in them.
    if (headers['grpc-status'] !== undefined) this.#trailers = headers
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#deframer.push(chunk)
    } catch (error) {
      this.fail(codecError(error))
    }
  }

  /** Their side has ended, which ends the call: our side is closed with it. */
  #onEnd(): void {
    if (this.#over) return
    this.#finish(this.#failure ?? this.#truncation() ?? statusOf(this.#trailers ?? {}))
    this.#stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #truncation(): RpcError | undefined {
    try {
      this.#deframer.end()
      return undefined
    } catch (error) {
      return codecError(error)
    }
  }

  #finish(error: RpcError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#handler.onEnd(error)
  }
}

function codecError(error: unknown): RpcError {
  return rpcError(hasCode(error, 'grpc/too-large') ? 'rpc/resource-exhausted' : 'rpc/internal', 'the answer is broken', error)
}

/** Node wraps what happened to a connection in what it did to its streams. */
function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error
}

function resetReason(code: number | undefined): string {
  const name = Object.entries(constants).find(([key, value]) => value === code && /^NGHTTP2_(?!NV_|ERR_|FLAG_|SESSION_|HCAT_|STREAM_STATE|SETTINGS_)/.test(key))?.[0]
  return code === undefined || code === constants.NGHTTP2_NO_ERROR ? '' : ` (${name?.slice('NGHTTP2_'.length) ?? `code ${code}`})`
}
