// What spans several fields of a VirtualService (traffic spec 1.2). Rules of the parts are in the files of the parts.
import { isClaim } from '../fields/headers.ts'
import { isIP, isSniName, isWildcardName, wildcardProblem } from '../fields/host.ts'
import { each, error } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import { exportToRules } from './export-to-rules.ts'
import { gatewayNameRules } from './gateway-names.ts'
import type { HttpRoute } from './http-route.ts'
import { httpRouteRules } from './http-route-rules.ts'
import { tcpRouteRules, tlsRouteRules } from './l4-route-rules.ts'
import { unreachableRules } from './unreachable-rules.ts'
import type { TcpRoute, VirtualService } from './virtual-service.ts'

type Spec = Frozen<VirtualService>

const isDelegate = ({ hosts }: Spec): boolean => hosts.length === 0
const appliesToMesh = ({ gateways }: Spec): boolean => gateways.includes('mesh')

export const virtualServiceRules: readonly Rule<VirtualService>[] = [
  error(function* (spec) {
    for (const [index, host] of spec.hosts.entries()) {
      const message = hostProblem(host, spec)
      if (message !== undefined) yield [['hosts', index], message]
    }
  }),
  error(overlappingHosts),
  error(function* ({ http, tcp, tls }) {
    if (http.length + tcp.length + tls.length === 0) yield [[], 'a VirtualService needs at least one http, tcp or tls rule']
  }),
  error(function* (spec) {
    if (!isDelegate(spec)) return
    if (!appliesToMesh(spec) || spec.gateways.length > 1) yield [['gateways'], 'a VirtualService without hosts is a delegate, which has no gateways: those of its root count; remove them, or give it hosts']
    if (spec.tls.length > 0) yield [['tls'], 'a VirtualService without hosts is a delegate, which has http rules only: give it hosts']
    if (spec.tcp.length > 0) yield [['tcp'], 'a VirtualService without hosts is a delegate, which has http rules only: give it hosts']
    for (const [index, { delegate }] of spec.http.entries()) {
      if (delegate !== undefined) yield [['http', index, 'delegate'], 'a delegate cannot delegate in turn: this VirtualService has no hosts, so it is one']
    }
  }),
  error(function* (spec) {
    if (!appliesToMesh(spec)) return
    for (const [index, { match }] of spec.http.entries()) {
      for (const [at, block] of match.entries()) yield* claims(block, ['http', index, 'match', at])
    }
  }),
  ...gatewayNameRules<VirtualService>(),
  ...exportToRules<VirtualService>(),
  ...each<VirtualService, HttpRoute>(({ http }) => http, ['http'], httpRouteRules),
  ...each<VirtualService, TcpRoute>(({ tcp }) => tcp, ['tcp'], tcpRouteRules),
  ...tlsRouteRules,
  ...unreachableRules,
]

/** Names of the mesh's own, `outbound_.80_._.reviews.default.svc.cluster.local`, are for TLS at gateways. */
function hostProblem(host: string, spec: Spec): string | undefined {
  if (isIP(host)) return undefined
  if (host === '*' && appliesToMesh(spec)) return '"*" cannot apply to the mesh: name the hosts, or bind the rule to gateways only'
  if (!appliesToMesh(spec) && spec.tls.length > 0 && isSniName(host)) return undefined
  return isWildcardName(host) ? undefined : wildcardProblem(host)
}

/** `*.foo.com` and `a.foo.com` are the same host twice. */
function* overlappingHosts({ hosts }: Spec): Iterable<Finding> {
  const lower = hosts.map((host) => host.toLowerCase())
  const seen = new Set<string>()
  const all = new Set(lower)
  for (const [index, host] of lower.entries()) {
    if (seen.has(host)) yield [['hosts', index], `${host} is there twice: remove one`]
    seen.add(host)
    const wider = widerNames(host).find((name) => all.has(name))
    if (wider !== undefined) yield [['hosts', index], `${host} is one of ${wider}, which is there too: keep one of them, or make two VirtualServices`]
  }
}

/** All wildcards that cover a name, but not itself: `*.a.b`, `*.b`, `*`. */
function widerNames(host: string): string[] {
  if (host === '*' || isIP(host)) return []
  const labels = host.split('.')
  return ['*', ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`)].filter((name) => name !== host)
}

function* claims(block: { readonly headers: object; readonly withoutHeaders: object }, at: readonly (string | number)[]): Iterable<Finding> {
  for (const map of ['headers', 'withoutHeaders'] as const) {
    for (const name of Object.keys(block[map])) {
      if (isClaim(name)) yield [[...at, map, name], 'claims of tokens can be matched at gateways only: bind the VirtualService to gateways, without mesh']
    }
  }
}
