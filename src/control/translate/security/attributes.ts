// The attributes of AuthorizationPolicies as Envoy's RBAC sees them: what is asked for (permissions), and who asks
// (principals). Which of them need HTTP is said here, what follows from that is rules.ts.
import type { PermissionSchema, PrincipalSchema } from '../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { UriTemplateMatchConfigSchema } from '../../../proto/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import {
  cidr, headerMatcher, isTemplate, listValue, metadataMatcher, namespaceMatcher, oneOrListed, principalMatcher, regex, serviceAccountMatcher, textMatcher, textValue,
  trustDomainMatcher, uriTemplate,
} from './matchers.ts'
import type { TextMatcher } from './matchers.ts'
import { principalsIn, trustDomainsIn } from './trust-domains.ts'

export type Permission = Init<typeof PermissionSchema>
export type Principal = Init<typeof PrincipalSchema>

/** What values mean depends on the mesh and on whose policy it is. */
export interface Meaning {
  /** Of the mesh, and its aliases. */
  readonly trustDomains: readonly string[]
  readonly namespace: string
}

export interface Attribute<Term> {
  readonly needsHttp: boolean
  /** One for each way in which the value can be met. */
  terms(value: string, meaning: Meaning): readonly Term[]
}

const attribute = <Term>(needsHttp: boolean, terms: Attribute<Term>['terms']): Attribute<Term> => ({ needsHttp, terms })

const header = (name: string, ignoreCase = false) => (value: string): Permission[] => [{ rule: { case: 'header', value: headerMatcher(name, value, ignoreCase) } }]

function pathTerms(value: string): Permission[] {
  if (isTemplate(value)) {
    const typedConfig = packed(UriTemplateMatchConfigSchema, { pathTemplate: uriTemplate(value) })
    return [{ rule: { case: 'uriTemplate', value: { name: 'uri-template', typedConfig } } }]
  }
  return [{ rule: { case: 'urlPath', value: { rule: { case: 'path', value: textMatcher(value) } } } }]
}

const permissions: Readonly<Record<string, Attribute<Permission>>> = {
  hosts: attribute(true, header(':authority', true)),
  methods: attribute(true, header(':method')),
  paths: attribute(true, pathTerms),
  'destination.port': attribute(false, (value) => [{ rule: { case: 'destinationPort', value: Number(value) } }]),
  'destination.ip': attribute(false, (value) => [{ rule: { case: 'destinationIp', value: cidr(value) } }]),
  'connection.sni': attribute(false, (value) => [{ rule: { case: 'requestedServerName', value: textMatcher(value) } }]),
}

const filters = 'experimental.'

/** `experimental.envoy.filters.a.b[key]`: what a filter said; `[v]` is an item of a list. */
function filterAttribute(key: string): Attribute<Permission> {
  const open = key.indexOf('[')
  const [filter, field] = [key.slice(filters.length, open), key.slice(open + 1, -1)]
  return attribute(true, (value) => {
    const listed = value.startsWith('[') && value.endsWith(']')
    const matcher = listed ? listValue(textMatcher(value.slice(1, -1))) : textValue(textMatcher(value))
    return [{ rule: { case: 'sourcedMetadata', value: { metadataMatcher: metadataMatcher(filter, [field], matcher) } } }]
  })
}

const authenticated = (matcher: TextMatcher): Principal => ({ identifier: { case: 'authenticated', value: { principalName: matcher } } })

const jwt = 'envoy.filters.http.jwt_authn'
const claim = (keys: readonly string[], value: Parameters<typeof metadataMatcher>[2]): Principal =>
  ({ identifier: { case: 'sourcedMetadata', value: { metadataMatcher: metadataMatcher(jwt, ['payload', ...keys], value) } } })

const nobody: Principal = { identifier: { case: 'notId', value: { identifier: { case: 'any', value: true } } } }

/** `issuer/subject`, divided by the last slash; a wildcard is of the part where it stands. */
function requestPrincipal(value: string): Principal[] {
  const slash = value.lastIndexOf('/')
  if (value !== '*' && slash < 0) return [nobody]
  const [issuer, subject] = value === '*' ? ['*', '*'] : [value.slice(0, slash), value.slice(slash + 1)]
  const parts = [claim(['iss'], textValue(partOf(issuer, '*', ''))), claim(['sub'], textValue(partOf(subject, '', '*')))]
  return [{ identifier: { case: 'andIds', value: { ids: parts } } }]
}

/** Of the issuer only a leading star is a wildcard, of the subject only one at its end. */
function partOf(text: string, leading: '*' | '', trailing: '*' | ''): TextMatcher {
  if (text === '*') return regex('.+')
  if (leading !== '' && text.startsWith(leading)) return { matchPattern: { case: 'suffix', value: text.slice(1) } }
  if (trailing !== '' && text.endsWith(trailing)) return { matchPattern: { case: 'prefix', value: text.slice(0, -1) } }
  return { matchPattern: { case: 'exact', value: text } }
}

const principals: Readonly<Record<string, Attribute<Principal>>> = {
  'source.principal': attribute(false, (value, { trustDomains }) => principalsIn(trustDomains, value).map((one) => authenticated(principalMatcher(one)))),
  'source.namespace': attribute(false, (value) => [authenticated(namespaceMatcher(value))]),
  'source.serviceAccount': attribute(false, (value, { namespace }) => [authenticated(serviceAccountMatcher(value, namespace))]),
  'source.trustDomain': attribute(false, (value, { trustDomains }) => trustDomainsIn(trustDomains, value).map((one) => authenticated(trustDomainMatcher(one)))),
  'source.ip': attribute(false, (value) => [{ identifier: { case: 'directRemoteIp', value: cidr(value) } }]),
  'remote.ip': attribute(false, (value) => [{ identifier: { case: 'remoteIp', value: cidr(value) } }]),
  'request.auth.principal': attribute(true, requestPrincipal),
  'request.auth.audiences': attribute(true, (value) => [claim(['aud'], oneOrListed(textMatcher(value)))]),
  'request.auth.presenter': attribute(true, (value) => [claim(['azp'], textValue(textMatcher(value)))]),
}

const namesIn = (key: string): string[] => [...key.matchAll(/\[([^[\]]+)\]/g)].map(([, name]) => name!)

function principalFamily(key: string): Attribute<Principal> | undefined {
  const names = namesIn(key)
  if (key.startsWith('request.auth.claims[')) return attribute(true, (value) => [claim(names, oneOrListed(textMatcher(value)))])
  const [name] = names
  if (!key.startsWith('request.headers[') || name === undefined) return undefined
  return attribute(true, (value) => [{ identifier: { case: 'header', value: headerMatcher(name, value) } }])
}

export function permissionAttribute(key: string): Attribute<Permission> | undefined {
  return permissions[key] ?? (key.startsWith(`${filters}envoy.filters.`) ? filterAttribute(key) : undefined)
}

export const principalAttribute = (key: string): Attribute<Principal> | undefined => principals[key] ?? principalFamily(key)
