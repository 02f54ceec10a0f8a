// What HPACK decoding throws: every case is a connection error COMPRESSION_ERROR (RFC 9113 §4.3), since the two tables
// do not agree any more.
import { MeshError } from '../../lib/errors.ts'

export type HpackErrorCode = 'hpack/truncated' | 'hpack/bad-integer' | 'hpack/bad-index' | 'hpack/bad-huffman' | 'hpack/bad-size-update'

export class HpackError extends MeshError<HpackErrorCode> {
  constructor(code: HpackErrorCode, message: string) {
    super(code, message)
    this.name = 'HpackError'
  }
}
