// Outbound policy, in a mesh of its own: headless services put listeners on the port of every host.
import { outbound } from './cases/outbound.ts'
import { asWritten, grpc, http2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('the differential suite of outbound policy', outbound, ['127.182', '127.192'], [asWritten, http2, grpc])
