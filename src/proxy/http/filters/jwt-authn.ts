// JWT authentication (security spec 2.4): requests whose tokens are not genuine, not current or not meant for us are
// answered with 401, or 403 for a wrong audience. Whether a token is needed at all is said by the requirements; what a good
// one says goes on as dynamic metadata and headers.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import { JwtAuthenticationSchema, PerRouteConfigSchema } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { RequirementRule } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { failureText, jwtFailures } from '../../../security/jwt/failure.ts'
import type { JwtFailure } from '../../../security/jwt/failure.ts'
import { isPreflight } from './cors.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter, FilterResult, LocalReply } from '../filter.ts'
import { Attempt } from '../jwt/attempt.ts'
import { Provider } from '../jwt/provider.ts'
import { compileRequirement } from '../jwt/requirement.ts'
import type { Check, Providers } from '../jwt/requirement.ts'
import { compileMatch, matchesAll } from '../router/match.ts'
import { badConfig, within } from '../router/problem.ts'
import type { Condition } from '../router/request.ts'
import type { FilterContext, FilterKind } from './table.ts'

/** As much of the path as Envoy puts into the realm. */
const maxRealmPath = 256

interface Rule {
  readonly conditions: readonly Condition[]
  /** Undefined: nothing is required. */
  readonly check: Check | undefined
}

interface Compiled {
  readonly rules: readonly Rule[]
  readonly named: ReadonlyMap<string, Check>
  readonly skipsPreflight: boolean
  readonly tellsWhy: boolean
}

/** A configuration is compiled once, for all routes that it serves: they share keys and verified tokens. */
const compiled = new WeakMap<Any, Compiled>()

export const jwtAuthn: FilterKind = {
  overrideType: PerRouteConfigSchema.typeName,
  create(config, override, context) {
    const settings = compiled.get(config) ?? compile(config, context)
    compiled.set(config, settings)
    const rules = override === undefined ? settings.rules : ofRoute(override, settings)
    return rules.length === 0 ? undefined : jwtFilter(settings, rules, context)
  },
}

function compile(config: Any, { clock, clusters, missingKeys }: FilterContext): Compiled {
  const message = anyUnpack(config, JwtAuthenticationSchema)
  if (message === undefined) throw badConfig(`${config.typeUrl} is not a JWT authentication`)
  if (message.filterStateRules !== undefined) throw badConfig('filter_state_rules is not served yet')
  const providers: Providers = new Map(Object.entries(message.providers).map(([name, one]) => [name, within(`provider ${name}`, () => new Provider(one, { clock, clusters, missingKeys }))]))
  const named = new Map(Object.entries(message.requirementMap).map(([name, one]) => [name, within(`requirement ${name}`, () => compileRequirement(one, providers))]))
  const rules = message.rules.map((rule, index) => within(`rule ${index}`, () => compileRule(rule, providers, named)))
  return { rules, named, skipsPreflight: message.bypassCorsPreflight, tellsWhy: !message.stripFailureResponse }
}

function compileRule({ match, requirementType: { case: kind, value } }: RequirementRule, providers: Providers, named: ReadonlyMap<string, Check>): Rule {
  const conditions = compileMatch(match)
  switch (kind) {
    case 'requires': return { conditions, check: compileRequirement(value, providers) }
    case 'requirementName': return { conditions, check: requirementNamed(value, named) }
    default: return { conditions, check: undefined }
  }
}

function requirementNamed(name: string, named: ReadonlyMap<string, Check>): Check {
  const check = named.get(name)
  if (check === undefined) throw badConfig(`requires ${JSON.stringify(name)}, which requirement_map does not have`)
  return check
}

function ofRoute(override: Any, { named }: Compiled): readonly Rule[] {
  const message = anyUnpack(override, PerRouteConfigSchema)
  if (message === undefined) throw badConfig(`${override.typeUrl} is not the JWT authentication of a route`)
  const { case: kind, value } = message.requirementSpecifier
  return kind === 'requirementName' ? [{ conditions: [], check: requirementNamed(value, named) }] : []
}

function jwtFilter({ skipsPreflight, tellsWhy }: Compiled, rules: readonly Rule[], { clock, random }: FilterContext): Filter {
  const answer = (failure: JwtFailure | undefined, attempt: Attempt): LocalReply | undefined => {
    if (failure !== undefined) return refusal(failure, attempt.exchange, tellsWhy)
    attempt.publish()
    return undefined
  }
  return {
    name: 'jwt_authn',
    onRequest(exchange): FilterResult {
      if (skipsPreflight && isPreflight(exchange) && exchange.requestHeaders.has('origin')) return undefined
      const rule = rules.find(({ conditions }) => matchesAll(conditions, exchange, random))
      if (rule?.check === undefined) return undefined
      const attempt = new Attempt(exchange, clock.now())
      const verdict = rule.check(attempt)
      return verdict instanceof Promise ? verdict.then((failure) => answer(failure, attempt)) : answer(verdict, attempt)
    },
  }
}

const details = new Map(jwtFailures.map((failure) => [failure, `jwt_authn_access_denied{${failureText(failure).replaceAll(/\s/g, '_')}}`]))

function refusal(failure: JwtFailure, { scheme, authority, path }: Exchange, tellsWhy: boolean): LocalReply {
  const realm = `Bearer realm="${scheme}://${authority}${path.slice(0, maxRealmPath)}"`
  return {
    status: failure === 'audienceNotAllowed' ? 403 : 401,
    body: tellsWhy ? failureText(failure) : '',
    details: details.get(failure)!,
    flags: '',
    headers: tellsWhy ? ['www-authenticate', failure === 'missing' ? realm : `${realm}, error="invalid_token"`] : [],
    grpcStatus: undefined,
  }
}
