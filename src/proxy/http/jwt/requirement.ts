// Requirements compiled: one provider's token, any of several, all of several, and whether none at all will do. How the
// failures of several become one is Envoy's way: the most telling is reported.
import type { JwtRequirement } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { JwtFailure } from '../../../security/jwt/failure.ts'
import { isToken, readToken } from '../../../security/jwt/token.ts'
import { badConfig } from '../router/problem.ts'
import type { Attempt } from './attempt.ts'
import { Locations } from './locations.ts'
import type { LocatedToken } from './locations.ts'
import { audiencesOf } from './provider.ts'
import type { Provider, Verdict } from './provider.ts'

/** Undefined: what is required is there. */
export type Check = (attempt: Attempt) => Verdict

export type Providers = ReadonlyMap<string, Provider>

/** As deep as anybody writes; a deeper tree is an attack or a mistake. */
const maxDepth = 16

export function compileRequirement({ requiresType: { case: kind, value } }: JwtRequirement, providers: Providers, depth = 0): Check {
  if (depth > maxDepth) throw badConfig(`requirements are nested deeper than ${maxDepth}`)
  switch (kind) {
    case 'providerName': return ofProvider(providerNamed(value, providers))
    case 'providerAndAudiences': return ofProvider(providerNamed(value.providerName, providers), value.audiences)
    case 'requiresAny': return anyOf(value.requirements, providers, depth)
    case 'requiresAll': return allOf(value.requirements.map((one) => compileRequirement(one, providers, depth + 1)))
    case 'allowMissing': return ofAnyProvider(providers, false)
    case 'allowMissingOrFailed': return ofAnyProvider(providers, true)
    default: return () => undefined
  }
}

function providerNamed(name: string, providers: Providers): Provider {
  const provider = providers.get(name)
  if (provider === undefined) throw badConfig(`requires the provider ${JSON.stringify(name)}, which is not there`)
  return provider
}

/** All tokens at the provider's locations must be good: the workload might use the other one. */
function ofProvider(provider: Provider, audiences: readonly string[] = []): Check {
  const locations = new Locations([provider.message])
  const own = audiences.length === 0 ? undefined : audiencesOf(audiences)
  return (attempt) => {
    locations.sanitize(attempt.exchange)
    const tokens = locations.find(attempt.exchange)
    return tokens.length === 0 ? 'missing' : inTurn(tokens, 0, (token) => provider.verify(token, own, attempt))
  }
}

/** Where no provider is asked for, the issuer that a token names decides which one it is. */
function ofAnyProvider(providers: Providers, failedToo: boolean): Check {
  const all = [...providers.values()]
  const locations = new Locations(all.map(({ message }) => message))
  const verify = (token: LocatedToken, attempt: Attempt): Verdict => {
    const read = readToken(token.text)
    if (!isToken(read)) return read
    const provider = all.find(({ message }) => message.issuer === read.issuer) ?? all.find(({ message }) => message.issuer === '')
    return provider === undefined ? 'unknownIssuer' : provider.verify(token, undefined, attempt)
  }
  return (attempt) => {
    locations.sanitize(attempt.exchange)
    const tokens = locations.find(attempt.exchange)
    if (tokens.length === 0) return undefined
    const verdict = inTurn(tokens, 0, (token) => verify(token, attempt))
    if (!failedToo) return verdict
    return verdict instanceof Promise ? verdict.then(() => undefined) : undefined
  }
}

/** The first that fails decides. */
function inTurn<Item>(items: readonly Item[], from: number, verify: (item: Item) => Verdict): Verdict {
  for (let i = from; i < items.length; i++) {
    const verdict = verify(items[i]!)
    if (verdict instanceof Promise) return verdict.then((failure) => failure ?? inTurn(items, i + 1, verify))
    if (verdict !== undefined) return verdict
  }
  return undefined
}

const allOf = (checks: readonly Check[]): Check => (attempt) => inTurn(checks, 0, (check) => check(attempt))

function anyOf(requirements: readonly JwtRequirement[], providers: Providers, depth: number): Check {
  const has = (kind: string): boolean => requirements.some(({ requiresType }) => requiresType.case === kind)
  const [missing, failed] = [has('allowMissing'), has('allowMissingOrFailed')]
  const checks = requirements.filter(({ requiresType }) => !requiresType.case?.startsWith('allow')).map((one) => compileRequirement(one, providers, depth + 1))
  if (checks.length === 0) return missing || failed ? ofAnyProvider(providers, failed) : () => 'missing'
  const settle = (failure: JwtFailure): JwtFailure | undefined => (failed || (missing && failure === 'missing') ? undefined : failure)
  const from = (start: number, before: JwtFailure, attempt: Attempt): Verdict => {
    let worst = before
    for (let i = start; i < checks.length; i++) {
      const verdict = checks[i]!(attempt)
      if (verdict instanceof Promise) return verdict.then((failure) => (failure === undefined ? undefined : from(i + 1, moreTelling(worst, failure), attempt)))
      if (verdict === undefined) return undefined
      worst = moreTelling(worst, verdict)
    }
    return settle(worst)
  }
  return (attempt) => from(0, 'missing', attempt)
}

/** That another provider's token is missing, or that a token is not this provider's, says little. */
const moreTelling = (before: JwtFailure, now: JwtFailure): JwtFailure =>
  ((now !== 'missing' && now !== 'unknownIssuer') || before === 'missing' ? now : before)
