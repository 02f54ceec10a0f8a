// Providers that see bodies, each in a mesh of its own: a workload asks one.
import { grpcBodies, partialBodies, wholeBodies } from './cases/external-authorization.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('providers over HTTP that see whole bodies', wholeBodies, ['127.82', '127.92'])
differentialSuite('providers over HTTP that see beginnings of bodies', partialBodies, ['127.84', '127.94'])
differentialSuite('providers over gRPC', grpcBodies, ['127.86', '127.96'])
