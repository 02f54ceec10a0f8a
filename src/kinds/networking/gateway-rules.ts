// What spans several fields of a Gateway (traffic spec 1.4).
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { Gateway } from './gateway.ts'

export const gatewayRules: readonly Rule<Gateway>[] = [
  error(function* (spec) {
    const seen = new Set<string>()
    for (const [index, { port }] of (spec.servers ?? []).entries()) {
      if (seen.has(port.name)) yield [['servers', index, 'port', 'name'], `port name ${port.name} is there twice: names are unique in a Gateway`]
      seen.add(port.name)
    }
  }),
  error(function* (spec) {
    for (const [index, { port, tls }] of (spec.servers ?? []).entries()) {
      if (['HTTPS', 'TLS'].includes(port.protocol.toUpperCase()) && tls === undefined) {
        yield [['servers', index], `a server of protocol ${port.protocol} needs tls`]
      }
    }
  }),
]
