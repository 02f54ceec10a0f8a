// The match block of an HTTP route (traffic spec 1.2.3).
import { matchedHeaderProblem } from '../fields/headers.ts'
import { error, warning } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { gatewayNameRules } from './gateway-names.ts'
import type { HttpMatch } from './http-match.ts'

const headerMaps = ['headers', 'withoutHeaders'] as const

export const httpMatchRules: readonly Rule<HttpMatch>[] = [
  error(function* (match) {
    for (const map of headerMaps) {
      for (const name of Object.keys(match[map])) {
        const message = matchedHeaderProblem(name)
        if (message !== undefined) yield [[map, name], message]
      }
    }
  }),
  error(function* (match) {
    if (Object.hasOwn(match.queryParams, '')) yield [['queryParams', ''], 'the name of a query parameter must not be empty']
  }),
  warning(function* ({ gateways, sourceLabels, sourceNamespace }) {
    if (gateways.length === 0) return
    if (Object.keys(sourceLabels).length > 0) yield [['sourceLabels'], 'has no effect beside gateways: remove one of them']
    if (sourceNamespace !== undefined) yield [['sourceNamespace'], 'has no effect beside gateways: remove one of them']
  }),
  warning(function* ({ ignoreUriCase, uri }) {
    if (ignoreUriCase && uri?.regex !== undefined) yield [['ignoreUriCase'], 'has no effect on a regex: begin the pattern with (?i)']
  }),
  ...gatewayNameRules<HttpMatch>(),
]
