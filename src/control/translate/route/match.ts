// Match blocks of a VirtualService: which of them can ever hold for this client, and the rest as route matches
// (traffic spec 1.2.3).
import type { HeaderMatcherSchema, QueryParameterMatcherSchema, RouteMatchSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { MetadataMatcherSchema } from '../../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts'
import type { StringMatcherSchema } from '../../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import { selects } from '../../hosts.ts'
import { gatewayNames } from '../../snapshot/virtual-services.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { HttpMatch, StringMatch } from '../../virtual-service-spec.ts'
import { jwtFilterName, payloadKey } from '../security/authentication.ts'
import { metadataMatcher, oneOrListed } from '../security/matchers.ts'
import type { RouteContext } from './context.ts'
import type { Init } from '../any.ts'

type RouteMatchInit = Init<typeof RouteMatchSchema>
type HeaderMatcherInit = Init<typeof HeaderMatcherSchema>
type StringMatcherInit = Init<typeof StringMatcherSchema>

/** A condition that is decided before any request, and does not hold. */
export type Obstacle = 'port' | 'gateways' | 'sourceLabels' | 'sourceNamespace'

/** What keeps a block from ever holding at this port and gateway, for this client. A block's own gateways switch its source conditions off. */
export function obstacleTo(match: HttpMatch, owner: VirtualService, context: RouteContext): Obstacle | undefined {
  if (match.port !== undefined && match.port !== 0 && match.port !== context.port) return 'port'
  const own = match.gateways !== undefined && match.gateways.length > 0
  const gateways = gatewayNames(own ? match.gateways : owner.spec.gateways, owner.metadata.namespace)
  if (!gateways.some((name) => context.gateways.includes(name))) return 'gateways'
  if (own) return undefined
  if (!selects(match.sourceLabels ?? {}, context.clientLabels)) return 'sourceLabels'
  return match.sourceNamespace && match.sourceNamespace !== context.clientNamespace ? 'sourceNamespace' : undefined
}

export const appliesTo = (match: HttpMatch, owner: VirtualService, context: RouteContext): boolean =>
  obstacleTo(match, owner, context) === undefined

/** Whether a block holds for every request, so that what comes after it is never reached. */
export function matchesEverything(match: HttpMatch): boolean {
  const { uri } = match
  const anyPath = uri === undefined || uri.prefix === '/' || uri.regex === '.*'
  const conditions = [match.headers, match.withoutHeaders, match.queryParams]
  return anyPath && conditions.every((map) => Object.keys(map ?? {}).length === 0)
    && match.scheme === undefined && match.method === undefined && match.authority === undefined
}

export function routeMatch(match: HttpMatch | undefined): RouteMatchInit {
  const foldCase = match?.ignoreUriCase === true && match.uri?.regex === undefined
  return {
    pathSpecifier: pathSpecifier(match?.uri),
    ...(foldCase && { caseSensitive: false }),
    headers: match === undefined ? [] : headerMatchers(match),
    ...(match !== undefined && claims(match)),
    queryParameters: sortedEntries(match?.queryParams).map(([name, value]) => queryMatcher(name, value)),
  }
}

function pathSpecifier(uri: StringMatch | undefined): NonNullable<RouteMatchInit['pathSpecifier']> {
  if (uri?.exact !== undefined) return { case: 'path', value: uri.exact }
  if (uri?.regex !== undefined) return { case: 'safeRegex', value: { regex: uri.regex } }
  return { case: 'prefix', value: uri?.prefix ?? '/' }
}

function headerMatchers(match: HttpMatch): HeaderMatcherInit[] {
  const pseudo: HeaderMatcherInit[] = []
  if (match.method !== undefined) pseudo.push(headerMatcher(':method', match.method))
  if (match.authority !== undefined) pseudo.push(headerMatcher(':authority', match.authority))
  if (match.scheme !== undefined) pseudo.push(headerMatcher(':scheme', match.scheme))
  const present = sortedEntries(match.headers).filter(isHeader).map(([name, value]) => headerMatcher(name, value))
  const absent = sortedEntries(match.withoutHeaders).filter(isHeader).map(([name, value]) => inverted(headerMatcher(name, value)))
  return [...present, ...absent, ...pseudo]
}

/** What a verified token says is matched in the shape of a header; its name cannot be one. */
const isHeader = ([name]: readonly [name: string, value: StringMatch]): boolean => !name.startsWith('@')

function claims(match: HttpMatch): RouteMatchInit {
  const wanted = (map: HttpMatch['headers']) => sortedEntries(map).filter((entry) => !isHeader(entry))
  const matchers = [
    ...wanted(match.headers).map(([name, value]) => claimMatcher(name, value)),
    ...wanted(match.withoutHeaders).map(([name, value]) => ({ ...claimMatcher(name, value), invert: true })),
  ]
  return matchers.length === 0 ? {} : { dynamicMetadata: matchers }
}

/** `@request.auth.claims.a.b` and `@request.auth.claims[a][b]`; a claim is one text or a list of them. */
function claimMatcher(name: string, value: StringMatch): Init<typeof MetadataMatcherSchema> {
  const path = name.slice('@request.auth.claims'.length).split(/[.[\]]+/).filter((key) => key !== '')
  return metadataMatcher(jwtFilterName, [payloadKey, ...path], isPresence(value) ? { matchPattern: { case: 'presentMatch', value: true } } : oneOrListed(stringMatcher(value)))
}

function headerMatcher(name: string, value: StringMatch): HeaderMatcherInit {
  const headerMatchSpecifier: HeaderMatcherInit['headerMatchSpecifier'] = isPresence(value)
    ? { case: 'presentMatch', value: true }
    : { case: 'stringMatch', value: stringMatcher(value) }
  return { name: name.toLowerCase(), headerMatchSpecifier }
}

/** A missing header counts as an empty one, so that "not a" holds without the header. */
function inverted(matcher: HeaderMatcherInit): HeaderMatcherInit {
  const byValue = matcher.headerMatchSpecifier?.case === 'stringMatch'
  return { ...matcher, invertMatch: true, ...(byValue && { treatMissingHeaderAsEmpty: true }) } as HeaderMatcherInit
}

function queryMatcher(name: string, value: StringMatch): Init<typeof QueryParameterMatcherSchema> {
  return {
    name,
    queryParameterMatchSpecifier: isPresence(value)
      ? { case: 'presentMatch', value: true }
      : { case: 'stringMatch', value: stringMatcher(value) },
  }
}

/** `{}` and, for Istio's old users, the pattern `*`. */
const isPresence = (value: StringMatch): boolean =>
  value.regex === '*' || (value.exact === undefined && value.prefix === undefined && value.regex === undefined)

export function stringMatcher(value: StringMatch): StringMatcherInit {
  if (value.prefix !== undefined) return { matchPattern: { case: 'prefix', value: value.prefix } }
  if (value.regex !== undefined) return { matchPattern: { case: 'safeRegex', value: { regex: value.regex } } }
  return { matchPattern: { case: 'exact', value: value.exact ?? '' } }
}

/** By name: what a document writes as a map has no order of its own. */
export function sortedEntries<Value>(map: Readonly<Record<string, Value>> | undefined): [string, Value][] {
  return Object.entries(map ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
}
