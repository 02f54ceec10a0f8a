// The attributes that `when` of an AuthorizationPolicy may name, what their values must be, and path templates.
import { nearest } from '../../lib/nearest.ts'
import type { FieldPath } from '../../model/resource.ts'
import { isCidr, isIP } from '../fields/host.ts'
import type { Finding } from '../kind.ts'

const addresses: readonly string[] = ['source.ip', 'remote.ip', 'destination.ip']

const plain: readonly string[] = [
  ...addresses, 'source.namespace', 'source.principal', 'source.serviceAccount', 'source.trustDomain', 'request.auth.principal', 'request.auth.audiences',
  'request.auth.presenter', 'destination.port', 'connection.sni',
]

/** Attributes that name a part: `request.headers[x]`. */
const families: readonly (readonly [prefix: string, shape: RegExp, example: string])[] = [
  ['request.headers', /^request\.headers\[[^[\]]+\]$/, 'request.headers[NAME]'],
  ['request.auth.claims', /^request\.auth\.claims(\[[^[\]]+\])+$/, 'request.auth.claims[NAME] or request.auth.claims[NAME][NAME]'],
  ['experimental.envoy.filters.', /^experimental\.envoy\.filters\.[^[\]]+\[[^[\]]+\]$/, 'experimental.envoy.filters.FILTER[KEY]'],
]

export function* attributeProblem(key: string, values: readonly string[] = [], notValues: readonly string[] = [], at: FieldPath): Iterable<Finding> {
  const problem = keyProblem(key)
  if (problem !== undefined) yield [[...at, 'key'], problem]
  for (const [name, list] of [['values', values], ['notValues', notValues]] as const) {
    for (const [index, value] of list.entries()) {
      const wrong = valueProblem(key, value)
      if (wrong !== undefined) yield [[...at, name, index], wrong]
    }
  }
}

function keyProblem(key: string): string | undefined {
  const family = families.find(([prefix]) => key.startsWith(prefix))
  if (family !== undefined) return family[1].test(key) ? undefined : `${JSON.stringify(key)} is written ${family[2]}`
  if (plain.includes(key)) return undefined
  const near = nearest(key, [...plain, ...families.map(([prefix]) => prefix)])
  return `nobody knows the attribute ${JSON.stringify(key)}${near === undefined ? `; there are ${plain.join(', ')}, ${families.map(([, , example]) => example).join(', ')}` : `; did you mean ${near}?`}`
}

function valueProblem(key: string, value: string): string | undefined {
  if (addresses.includes(key)) return isIP(value) || isCidr(value) ? undefined : `${JSON.stringify(value)} is neither an IP address nor a CIDR such as 10.0.0.0/8`
  if (key === 'destination.port') return /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65535 ? undefined : `${JSON.stringify(value)} is not a port, 1 to 65535`
  if (key === 'source.serviceAccount') {
    if (value.includes('*')) return `${JSON.stringify(value)}: a service account has no wildcards`
    return /^[^/]+(\/[^/]+)?$/.test(value) ? undefined : `${JSON.stringify(value)} is neither NAME nor NAMESPACE/NAME`
  }
  return undefined
}

/** Envoy's own limit. */
const maxTemplate = 256

/** What is wrong with a path that has `{*}` or `{**}`: each stands alone in its segment, `{**}` comes last, and there is no plain wildcard beside them. */
export function templateProblem(path: string): string | undefined {
  if (!/[{}]/.test(path)) return undefined
  const quoted = JSON.stringify(path)
  const rest = path.replaceAll('{**}', '').replaceAll('{*}', '')
  if (/[{}]/.test(rest)) return `${quoted}: only {*} and {**} can stand in braces`
  if (rest.includes('*')) return `${quoted} mixes {*} or {**} with a plain *: write one or the other`
  if (path.length > maxTemplate) return `${quoted}: a path with {*} or {**} has at most ${maxTemplate} characters`
  if (!path.startsWith('/')) return `${quoted}: a path with {*} or {**} begins with a slash`
  if (path.split('/').some((segment) => segment.includes('{') && segment !== '{*}' && segment !== '{**}')) return `${quoted}: {*} and {**} stand alone between slashes`
  const last = path.lastIndexOf('{')
  const any = path.indexOf('{**}')
  return any >= 0 && any !== last ? `${quoted}: {**} must be the last of them` : undefined
}
