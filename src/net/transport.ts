// One byte stream, plain or TLS, whatever carries it. Two implementations (node's public sockets with `onread`, and raw
// stream handles) pass one contract suite; nothing above `net/` can tell them apart.
import type { Address } from '../model/address.ts'

/** What a finished TLS handshake said. */
export interface TlsInfo {
  /** Negotiated ALPN protocol, or empty. */
  readonly alpn: string
  /** Requested server name, or empty. */
  readonly serverName: string
  readonly protocol: string
  /** URI SANs of the peer's verified certificate; empty when it sent none. */
  readonly peerUris: readonly string[]
  readonly peerDnsNames: readonly string[]
  /** RFC 2253 subject of the peer, or empty. */
  readonly peerSubject: string
  /** SHA-256 of the peer's certificate (DER) in lower-case hex; empty when it sent none, or none that was verified. */
  readonly peerDigest: string
  /** That certificate, DER; undefined where the digest is empty. */
  readonly peerCertificate?: Buffer | undefined
  /** URI SANs of our own certificate. */
  readonly localUris: readonly string[]
}

/**
 * What a transport tells. Every callback may write to, pause or destroy the transport. `onClose` comes exactly once and
 * nothing after it. No callback runs inside a call to `write*` or `destroy`: failures arrive on a later turn.
 */
export interface TransportHandler {
  /** `bytes[0, length)` is only valid during the call: use it or copy it. */
  onData(bytes: Buffer, length: number): void
  /** What was queued has been written, after a write returned false. */
  onDrain(): void
  /** The peer has finished sending. Writing may go on. */
  onEnd(): void
  onClose(error: Error | undefined): void
  /** It has failed and is about to be closed: the last moment to ask `untaken`, and to do no more than that. */
  onBroken?(): void
}

export interface Transport {
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly tls: TlsInfo | undefined
  /** Bytes accepted but not yet handed to the kernel. */
  readonly writableLength: number
  readonly destroyed: boolean
  /** Of what was written, bytes that the peer has certainly not taken before it ended or the connection broke. Costs a system call. */
  untaken(): number
  /** Set once before reading starts, and again when a connection changes hands (an upgrade). */
  handler: TransportHandler
  /** Writes a latin1 string. False: queued, stop until `onDrain`. */
  writeLatin1(text: string): boolean
  /** Writes `bytes[at, end)`. The bytes may be reused as soon as it returns: what cannot be written now is copied. */
  write(bytes: Uint8Array, at: number, end: number): boolean
  /** Changes the byte that is `back` bytes before the end of what was written. False: it has gone already. Only where writes are gathered. */
  amend?(back: number, byte: number): boolean
  /** Starts reading, and goes on after `pause`. Nothing is read before the first call. */
  resume(): void
  pause(): void
  /** Sends FIN (close_notify on TLS) after what is queued. */
  end(): void
  /** Closes at once; with `reset`, by RST where the platform can. */
  destroy(reset?: boolean): void
}
