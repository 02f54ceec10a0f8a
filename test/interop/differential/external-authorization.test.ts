// Providers that are asked about requests, each in a mesh of its own: a workload asks one.
import { connections, forgiving, grpcBodies, largeBodies, nobodyThere, ownStatus, partialBodies, wholeBodies } from './cases/external-authorization.ts'
import { asWritten, grpc, http2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('providers over HTTP that see whole bodies', wholeBodies, ['127.82', '127.92'], [asWritten, http2, grpc])
differentialSuite('providers over HTTP that see beginnings of bodies', partialBodies, ['127.84', '127.94'], [asWritten, http2, grpc])
differentialSuite('providers over gRPC', grpcBodies, ['127.86', '127.96'], [asWritten, http2, grpc])
differentialSuite('a provider that fails open', forgiving, ['127.88', '127.98'], [asWritten, http2, grpc])
differentialSuite('a provider with a status of its own', ownStatus, ['127.26', '127.36'], [asWritten, http2, grpc])
differentialSuite('a provider that is away', nobodyThere, ['127.28', '127.38'], [asWritten, http2, grpc])
differentialSuite('a provider that is asked about bytes', connections, ['127.146', '127.156'])
differentialSuite('a provider that sees large bodies', largeBodies, ['127.166', '127.176'], [asWritten, http2, grpc])
