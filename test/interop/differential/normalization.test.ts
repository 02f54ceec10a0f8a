// Paths under each level of normalization: a mesh has one.
import { asReceived, decodedSlashes, mergedSlashes } from './cases/normalization.ts'
import { asWritten, grpc, http2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('paths as they are', asReceived, ['127.44', '127.54'], [asWritten, http2, grpc])
differentialSuite('paths with merged slashes', mergedSlashes, ['127.46', '127.56'], [asWritten, http2, grpc])
differentialSuite('paths with decoded and merged slashes', decodedSlashes, ['127.48', '127.58'], [asWritten, http2, grpc])
