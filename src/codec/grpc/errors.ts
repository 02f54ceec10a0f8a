// What is wrong with the bytes of a gRPC stream. All of it ends the stream, none of it the connection.
import { MeshError } from '../../lib/errors.ts'

export type GrpcCodecErrorCode =
  /** A message is longer than we take. */
  | 'grpc/too-large'
  /** A message is compressed, and no compression was agreed on. */
  | 'grpc/compressed'
  /** The stream ended inside a message. */
  | 'grpc/truncated'
  /** A flag that gRPC does not know. */
  | 'grpc/flag'

export class GrpcCodecError extends MeshError<GrpcCodecErrorCode> {
  constructor(code: GrpcCodecErrorCode, message: string) {
    super(code, message)
    this.name = 'GrpcCodecError'
  }
}
