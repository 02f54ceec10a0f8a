// The cases of authorization, of tokens and of spoofed headers, asked over HTTP/2. Each in a mesh of its own, as over HTTP/1.1.
import { authorization } from './cases/authorization.ts'
import { spoofing } from './cases/spoofing.ts'
import { tokens } from './cases/tokens.ts'
import { overHttp2 } from './over.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('the differential suite of authorization, over HTTP/2', overHttp2(authorization), ['127.122', '127.132'])
differentialSuite('the differential suite of tokens, over HTTP/2', overHttp2(tokens), ['127.142', '127.152'])
differentialSuite('spoofed headers, over HTTP/2', overHttp2(spoofing), ['127.162', '127.172'])
