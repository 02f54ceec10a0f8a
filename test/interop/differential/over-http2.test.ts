// The same table once more, asked over HTTP/2 and as calls of gRPC; and with the cases of HTTP/2 and gRPC alone.
import { balancing } from './cases/balancing.ts'
import { edges } from './cases/edges.ts'
import { failing } from './cases/failing.ts'
import { http2 as onlyHttp2 } from './cases/http2.ts'
import { http2Upstream } from './cases/http2-upstream.ts'
import { matching } from './cases/matching.ts'
import { promises } from './cases/promises.ts'
import { protocol } from './cases/protocol.ts'
import { rarely } from './cases/rarely.ts'
import { rewriting } from './cases/rewriting.ts'
import { splitting } from './cases/splitting.ts'
import { stickyWeights } from './cases/sticky.ts'
import { grpc, http2, inWay } from './over.ts'
import { differentialSuite } from './suite.ts'

const all = [...matching, ...rewriting, ...failing, ...protocol, ...edges, ...balancing, ...splitting, ...stickyWeights, ...rarely, ...promises]

differentialSuite('the differential suite, over HTTP/2', [...inWay(http2, all), ...onlyHttp2, ...http2Upstream], ['127.62', '127.72'])
differentialSuite('the differential suite, as gRPC', inWay(grpc, all), ['127.102', '127.112'])
