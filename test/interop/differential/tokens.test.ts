// The cases of tokens, in a mesh of their own: policies hold for whole workloads, so those of other cases would see them.
import { tokens } from './cases/tokens.ts'
import { asWritten, grpc, http2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('the differential suite of tokens', tokens, ['127.22', '127.32'], [asWritten, http2, grpc])
