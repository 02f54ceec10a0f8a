// What a gRPC service of the control plane is: methods by path, each given the caller as the transport knows it. The server
// (grpc.ts) carries them; the services (ads.ts, ca.ts) know nothing of HTTP/2.
import type { Address } from '../../model/address.ts'

/** gRPC status codes (grpc/statuscodes) that our services answer with. */
export const grpcStatus = {
  ok: 0, cancelled: 1, invalidArgument: 3, deadlineExceeded: 4, permissionDenied: 7, resourceExhausted: 8, failedPrecondition: 9,
  unimplemented: 12, internal: 13, unavailable: 14, unauthenticated: 16,
} as const

export type GrpcStatus = (typeof grpcStatus)[keyof typeof grpcStatus]

/** The one way in which a method ends badly. The message goes to the peer. */
export class GrpcError extends Error {
  readonly status: GrpcStatus

  constructor(status: GrpcStatus, message: string) {
    super(message)
    this.name = 'GrpcError'
    this.status = status
  }
}

/** Who calls, as far as the connection proves it. */
export interface Caller {
  readonly remoteAddress: Address
  /** False on the plaintext port, which listens on loopback only. */
  readonly encrypted: boolean
  /** URI SANs of the client certificate, verified against the CA's roots; empty without one. */
  readonly uris: readonly string[]
  /** `authorization: Bearer ...` without its prefix; empty when there is none. */
  readonly bearer: string
}

export interface UnaryMethod {
  readonly kind: 'unary'
  /** `/istio.v1.auth.IstioCertificateService/CreateCertificate`. */
  readonly path: string
  /** Rejects with a GrpcError; anything else that is thrown is answered as internal and logged. */
  handle(request: Uint8Array, caller: Caller): Promise<Uint8Array>
}

/** The server's side of one open stream. */
export interface ServerCall {
  readonly caller: Caller
  /**
   * Queues one message, given as parts that are sent one after the other (shared bytes are never copied). Resolves when the
   * bytes are with the kernel, or when the call has ended.
   */
  send(parts: readonly Uint8Array[]): Promise<void>
  /** Ends the call; without an error with OK. */
  end(error?: GrpcError): void
}

/** What the server tells a method about one of its streams. */
export interface CallHandler {
  onMessage(bytes: Uint8Array): void
  /** The client has finished sending. */
  onEnd(): void
  /** Nothing follows: the call ended, by whomever. */
  onClose(): void
}

export interface StreamMethod {
  readonly kind: 'stream'
  readonly path: string
  /** Throws a GrpcError to refuse. */
  open(call: ServerCall): CallHandler
}

export type Method = UnaryMethod | StreamMethod
