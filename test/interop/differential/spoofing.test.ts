// Headers that outsiders have no business to send, through our proxy and through a real Envoy.
import { spoofing } from './cases/spoofing.ts'
import { asWritten, grpc, http2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('spoofed headers', spoofing, ['127.42', '127.52'], [asWritten, http2, grpc])
