// One table of cases, through our proxy and through a real Envoy below our control plane: both must show what the table
// says, and the same as each other.
import { balancing } from './cases/balancing.ts'
import { connects } from './cases/connect.ts'
import { edges } from './cases/edges.ts'
import { failing } from './cases/failing.ts'
import { matching } from './cases/matching.ts'
import { promises } from './cases/promises.ts'
import { protocol } from './cases/protocol.ts'
import { rewriting } from './cases/rewriting.ts'
import { rarely } from './cases/rarely.ts'
import { splitting } from './cases/splitting.ts'
import { stickyWeights } from './cases/sticky.ts'
import { tlsGateways } from './cases/tls-gateways.ts'
import { differentialSuite } from './suite.ts'

differentialSuite('the differential suite', [...matching, ...rewriting, ...failing, ...protocol, ...balancing, ...splitting, ...stickyWeights, ...rarely, ...edges, ...connects, ...tlsGateways, ...promises], ['127.2', '127.12'])
