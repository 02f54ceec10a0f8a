// Which headers a route or a destination may set, add and remove (traffic spec 1.2.4). Names and values as such are
// checked in fields/headers.ts.
import { isAuthority } from '../fields/headers.ts'
import type { Headers } from '../fields/headers.ts'
import { error, warning } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'

export const headerRules: readonly Rule<Headers>[] = [
  error(function* ({ request, response }) {
    for (const operation of ['set', 'add'] as const) {
      for (const name of Object.keys(request?.[operation] ?? {})) {
        if (name.startsWith(':') && !isAuthority(name)) yield [['request', operation, name], `${name} cannot be changed: of the names that begin with ':' only :authority can`]
      }
      yield* untouchable(Object.keys(response?.[operation] ?? {}).map((name) => [['response', operation, name], name]))
    }
    for (const side of ['request', 'response'] as const) {
      const remove: readonly string[] = (side === 'request' ? request : response)?.remove ?? []
      yield* untouchable(remove.map((name, index) => [[side, 'remove', index], name]))
    }
  }),
  warning(function* ({ request, response }) {
    for (const [side, operations] of [['request', request], ['response', response]] as const) {
      for (const operation of ['set', 'add'] as const) {
        for (const [name, value] of Object.entries(operations?.[operation] ?? {})) {
          const unknown = unservedExpression(value)
          if (unknown !== undefined) yield [[side, operation, name], `${unknown} is not served yet: our proxies refuse the routes that use it`]
        }
      }
    }
  }),
]

function* untouchable(named: readonly Finding[]): Iterable<Finding> {
  for (const [path, name] of named) {
    if (name.startsWith(':') || isAuthority(name)) yield [path, `${name} cannot be set or removed here: rewrite.authority, or headers.request.set, changes the host of a request`]
  }
}

/** What our proxies know. Envoy knows more. */
export const servedExpressions: ReadonlySet<string> = new Set([
  'PROTOCOL', 'START_TIME', 'RESPONSE_CODE', 'RESPONSE_CODE_DETAILS', 'RESPONSE_FLAGS', 'BYTES_RECEIVED', 'UPSTREAM_HOST', 'UPSTREAM_REMOTE_ADDRESS',
  'UPSTREAM_LOCAL_ADDRESS', 'UPSTREAM_CLUSTER', 'UPSTREAM_CLUSTER_RAW', 'ROUTE_NAME', 'REQUESTED_SERVER_NAME', 'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_REMOTE_PORT', 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_LOCAL_ADDRESS', 'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_LOCAL_PORT',
  'DOWNSTREAM_PEER_URI_SAN', 'DOWNSTREAM_LOCAL_URI_SAN', 'UPSTREAM_PEER_URI_SAN', 'UPSTREAM_LOCAL_URI_SAN', 'REQ', 'RESP',
])

function unservedExpression(value: string): string | undefined {
  for (const [expression, name] of value.replaceAll('%%', '').matchAll(/%([^%(]+)(?:\([^)]*\))?[^%]*%/g)) {
    if (!servedExpressions.has(name!)) return expression
  }
  return undefined
}

/** Where a route changes the authority, in the order in which they would win. */
export function authoritiesOf(headers: Frozen<Headers> | undefined): (readonly ['set' | 'add', string])[] {
  return (['set', 'add'] as const).flatMap((operation) =>
    Object.keys(headers?.request?.[operation] ?? {}).filter(isAuthority).map((name) => [operation, name] as const))
}
