// Limits of connections and requests (traffic spec 1.3.7, 2.5), wherever a kind has them.
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { ConnectionPool } from './traffic-policy.ts'

export const connectionPoolRules: readonly Rule<ConnectionPool>[] = [
  error(function* ({ tcp, http }) {
    if (tcp === undefined && http === undefined) yield [[], 'needs tcp or http']
  }),
  error(function* ({ http }) {
    if (http?.h2UpgradePolicy === 'UPGRADE' && http.useClientProtocol) {
      yield [['http', 'useClientProtocol'], 'cannot stand beside h2UpgradePolicy: UPGRADE: remove one of them']
    }
  }),
  error(function* ({ http }) {
    if (http?.http2KeepAlive === undefined) return
    for (const field of ['interval', 'timeout'] as const) {
      if (http.http2KeepAlive[field] === undefined) yield [['http', 'http2KeepAlive', field], 'is required']
    }
  }),
]
