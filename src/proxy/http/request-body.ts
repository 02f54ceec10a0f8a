// The pieces of a request's body that may be needed again: until an upstream connection is there, and for retries. Within
// a limit: a body that is longer makes its request one that cannot be tried again.

export class RequestBody {
  /** Envoy's per_connection_buffer_limit_bytes. */
  static readonly maxBytes = 1024 * 1024

  readonly pieces: Buffer[] = []
  bytes = 0
  /** All that came is still here. */
  whole = true

  keep(bytes: Buffer, at: number, end: number): void {
    this.pieces.push(Buffer.from(bytes.subarray(at, end)))
    this.bytes += end - at
  }

  /** Of all pieces, as one. */
  beginning(maxBytes: number): Buffer {
    return Buffer.concat(this.pieces, Math.min(this.bytes, maxBytes))
  }

  /** Nothing will ask for it again. */
  drop(): void {
    this.whole = this.whole && this.bytes === 0
    this.pieces.length = 0
    this.bytes = 0
  }
}
