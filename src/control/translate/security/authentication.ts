// RequestAuthentications as Envoy's jwt_authn, in istiod's shape: a provider for each rule, called origins-0 and so on by
// issuer, whose token must be good or missing (security spec 2.4). Keys that the control plane fetched are put in; where
// there are none, keys that nobody has: every token is refused, and requests without one pass.
import type { JwtRule } from '../../../kinds/security/request-authentication.ts'
import { JwtAuthenticationSchema } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { JwtProviderSchema, JwtRequirementSchema } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { HttpFilterSchema } from '../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { withSource } from '../../../xds/missing-keys.ts'
import { keySource } from '../../jwks/key-fetch.ts'
import type { KeySource } from '../../jwks/key-fetch.ts'
import type { RequestAuthentication } from '../../snapshot/request-authentication.ts'
import type { Peer, Snapshot } from '../../snapshot.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'

type Requirement = Init<typeof JwtRequirementSchema>

export const jwtFilterName = 'envoy.filters.http.jwt_authn'

/** Under which verified claims stand in the metadata of that filter. */
export const payloadKey = 'payload'

/** Scopes are lists wherever they come from. */
const alwaysLists = ['scope', 'permission']

/** The public half of a key whose private half was never kept. */
const keysOfNobody = JSON.stringify({ keys: [{
  kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'no-keys-of-this-issuer-could-be-fetched',
  x: 'lfv9_b3lfJdu3Z2_esWrWKj52Wmld6ByOwuzok_M7FU', y: 'Ck2udJ0cdzcO_AZim-Ps4HVZ4WSyxWwvgdSJD9EvCNw',
}] })

/** Of a workload or gateway, and each one's keys. */
export function acceptedTokens(peer: Pick<Peer, 'namespace' | 'labels'>, type: string, snapshot: Snapshot): { readonly jwtRules: readonly JwtRule[]; readonly jwtKeys: readonly string[] } {
  const jwtRules = jwtRulesOf(snapshot.requestAuthentications.of(peer, type))
  return { jwtRules, jwtKeys: keysOf(jwtRules, snapshot.keySets) }
}

/** Of all policies, sorted by issuer as istiod does. */
const jwtRulesOf = (policies: readonly RequestAuthentication[]): readonly JwtRule[] =>
  policies.flatMap(({ spec }) => spec.jwtRules).sort((one, other) => (one.issuer < other.issuer ? -1 : Number(one.issuer > other.issuer)))

/** Undefined where the keys stand in the rule itself. */
export const sourceOf = ({ jwks, jwksUri, issuer, timeout }: JwtRule): KeySource | undefined =>
  (jwks === undefined || jwks === '' ? keySource(jwksUri, issuer, timeout) : undefined)

/** What stands as keys in each of the rules. */
const keysOf = (rules: readonly JwtRule[], fetched: ReadonlyMap<string, string>): readonly string[] => rules.map((rule) => {
  const source = sourceOf(rule)
  return source === undefined ? rule.jwks! : fetchedKeys(source.id, fetched) ?? keysOfNobody
})

/** Of one world, made once: views compare them, and there are as many as proxies. */
const marked = new WeakMap<ReadonlyMap<string, string>, Map<string, string>>()

function fetchedKeys(id: string, fetched: ReadonlyMap<string, string>): string | undefined {
  const keys = fetched.get(id)
  if (keys === undefined) return undefined
  const known = marked.get(fetched) ?? new Map<string, string>()
  marked.set(fetched, known)
  const text = known.get(id) ?? withSource(keys, id)
  known.set(id, text)
  return text
}

/** `reroutes`: routes may ask for claims. */
export function jwtFilter(rules: readonly JwtRule[], keys: readonly string[], reroutes: boolean): Init<typeof HttpFilterSchema>[] {
  if (rules.length === 0) return []
  const names = rules.map((_, index) => `origins-${index}`)
  const config = packed(JwtAuthenticationSchema, {
    providers: Object.fromEntries(rules.map((rule, index) => [names[index]!, provider(rule, keys[index]!, reroutes)])),
    rules: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, requirementType: { case: 'requires', value: requirement(names) } }],
    bypassCorsPreflight: true,
  })
  return [{ name: jwtFilterName, configType: { case: 'typedConfig', value: config } }]
}

function provider(rule: JwtRule, keys: string, reroutes: boolean): Init<typeof JwtProviderSchema> {
  return {
    issuer: rule.issuer,
    audiences: [...rule.audiences],
    forward: rule.forwardOriginalToken,
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    payloadInMetadata: payloadKey,
    normalizePayloadInMetadata: { spaceDelimitedClaims: [...new Set([...alwaysLists, ...rule.spaceDelimitedClaims])] },
    jwksSourceSpecifier: { case: 'localJwks', value: { specifier: { case: 'inlineString', value: keys } } },
    fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    claimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
    ...(reroutes && { clearRouteCache: true }),
  }
}

const any = (requirements: readonly Requirement[]): Requirement => ({ requiresType: { case: 'requiresAny', value: { requirements: [...requirements] } } })
const all = (requirements: readonly Requirement[]): Requirement => ({ requiresType: { case: 'requiresAll', value: { requirements: [...requirements] } } })
const of = (name: string): Requirement => ({ requiresType: { case: 'providerName', value: name } })
const missing: Requirement = { requiresType: { case: 'allowMissing', value: {} } }

/** One of them has a good token, or each has a good one or none: rules may share a place where tokens stand. */
function requirement(names: readonly string[]): Requirement {
  const [only] = names
  if (names.length === 1) return any([of(only!), missing])
  return any([...names.map(of), all(names.map((name) => any([of(name), missing])))])
}
