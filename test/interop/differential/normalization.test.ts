// Paths under each level of normalization: a mesh has one.
import { asReceived, decodedSlashes, mergedSlashes } from './cases/normalization.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('paths as they are', asReceived, ['127.44', '127.54'])
differentialSuite('paths with merged slashes', mergedSlashes, ['127.46', '127.56'])
differentialSuite('paths with decoded and merged slashes', decodedSlashes, ['127.48', '127.58'])
