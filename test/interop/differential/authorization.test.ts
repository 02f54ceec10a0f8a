// The cases of authorization, in a mesh of their own: a policy that allows something denies all else at its workload.
import { authorization } from './cases/authorization.ts'
import { aliases, identities } from './cases/identities.ts'
import { asWritten, grpc, http2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('the differential suite of authorization', [...authorization, ...identities], ['127.24', '127.34'], [asWritten, http2, grpc])
differentialSuite('trust domains and their aliases', aliases, ['127.148', '127.158'], [asWritten, http2, grpc])
