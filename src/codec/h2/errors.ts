// What the HTTP/2 codec throws, and names that its error codes (RFC 9113 §7) have in our own errors.
import { MeshError } from '../../lib/errors.ts'
import { errorCode } from './types.ts'

export type H2ErrorCode =
  | 'h2/no-error' | 'h2/protocol-error' | 'h2/internal-error' | 'h2/flow-control-error' | 'h2/settings-timeout'
  | 'h2/stream-closed' | 'h2/frame-size-error' | 'h2/refused-stream' | 'h2/cancel' | 'h2/compression-error'
  | 'h2/connect-error' | 'h2/enhance-your-calm' | 'h2/inadequate-security' | 'h2/http11-required'

/** By RFC code. */
const names: readonly H2ErrorCode[] = [
  'h2/no-error', 'h2/protocol-error', 'h2/internal-error', 'h2/flow-control-error', 'h2/settings-timeout',
  'h2/stream-closed', 'h2/frame-size-error', 'h2/refused-stream', 'h2/cancel', 'h2/compression-error',
  'h2/connect-error', 'h2/enhance-your-calm', 'h2/inadequate-security', 'h2/http11-required',
]

/** Unknown codes mean what INTERNAL_ERROR means (RFC 9113 §7). */
const errorName = (rfcCode: number): H2ErrorCode => names[rfcCode] ?? 'h2/internal-error'

export type H2Scope = 'connection' | 'stream'
/** Who broke off: the peer, by a frame that says so, or we, since the peer broke a rule or a limit. */
export type H2Origin = 'local' | 'remote'

export class H2Error extends MeshError<H2ErrorCode> {
  readonly scope: H2Scope
  readonly origin: H2Origin
  /** RFC 9113 §7, by number. */
  readonly rfcCode: number

  constructor(scope: H2Scope, rfcCode: number, message: string, origin: H2Origin = 'local', cause?: unknown) {
    super(errorName(rfcCode), message, cause)
    this.name = 'H2Error'
    this.scope = scope
    this.rfcCode = rfcCode
    this.origin = origin
  }
}

/** The peer broke a rule after which the connection cannot go on. */
export const connectionError = (rfcCode: number, message: string, cause?: unknown) =>
  new H2Error('connection', rfcCode, message, 'local', cause)

export const protocolError = (message: string) => connectionError(errorCode.protocolError, message)
export const frameSizeError = (message: string) => connectionError(errorCode.frameSizeError, message)
