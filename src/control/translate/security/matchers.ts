// How values of an AuthorizationPolicy become Envoy's matchers: `a`, `a*`, `*a`, `*`, networks, path templates.
import type { CidrRangeSchema } from '../../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { HeaderMatcherSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { MetadataMatcherSchema } from '../../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts'
import type { StringMatcherSchema } from '../../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import type { ValueMatcherSchema } from '../../../proto/gen/envoy/type/matcher/v3/value_pb.ts'
import type { Init } from '../any.ts'

export type TextMatcher = Init<typeof StringMatcherSchema>
export type ValueMatcher = Init<typeof ValueMatcherSchema>

export const regex = (pattern: string): TextMatcher => ({ matchPattern: { case: 'safeRegex', value: { regex: pattern } } })

export function textMatcher(value: string, ignoreCase = false): TextMatcher {
  if (value === '*') return regex('.+')
  if (value.startsWith('*')) return { matchPattern: { case: 'suffix', value: value.slice(1) }, ignoreCase }
  if (value.endsWith('*')) return { matchPattern: { case: 'prefix', value: value.slice(0, -1) }, ignoreCase }
  return { matchPattern: { case: 'exact', value }, ignoreCase }
}

/** A principal stands in its certificate behind `spiffe://`. */
export function principalMatcher(value: string): TextMatcher {
  if (value === '*') return regex('.+')
  if (value.startsWith('*')) return regex(`spiffe://.*${quoted(value.slice(1))}`)
  return textMatcher(`spiffe://${value}`)
}

/** Wildcards stay inside of their part of the identity: `*a` is no match for the `/sa/` behind a namespace. */
export const namespaceMatcher = (value: string): TextMatcher => regex(`.*/ns/${parts(value)}/.*`)

export const trustDomainMatcher = (value: string): TextMatcher => regex(`spiffe://${parts(value)}/.*`)

/** `account`, or `namespace/account`. */
export function serviceAccountMatcher(value: string, ownNamespace: string): TextMatcher {
  const [namespace, account] = value.includes('/') ? value.split('/') : [ownNamespace, value]
  return regex(`spiffe://[^/]+/ns/${quoted(namespace!)}/sa/${quoted(account!)}`)
}

const parts = (value: string): string => value.split('*').map(quoted).join('[^/]*')

/** As RE2 takes it literally. */
const quoted = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')

export function headerMatcher(name: string, value: string, ignoreCase = false): Init<typeof HeaderMatcherSchema> {
  if (value === '*') return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } }
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: textMatcher(value, ignoreCase) } }
}

/** A network, or an address, which is a network of one. */
export function cidr(value: string): Init<typeof CidrRangeSchema> {
  const [addressPrefix = '', bits] = value.split('/')
  return { addressPrefix, prefixLen: bits === undefined ? (addressPrefix.includes(':') ? 128 : 32) : Number(bits) }
}

/** `{*}` and `{**}` as Envoy writes them: `*` and `**`. */
export const uriTemplate = (value: string): string => value.replaceAll('{*}', '*').replaceAll('{**}', '**')

export const isTemplate = (value: string): boolean => value.includes('{')

export function metadataMatcher(filter: string, keys: readonly string[], value: ValueMatcher): Init<typeof MetadataMatcherSchema> {
  return { filter, path: keys.map((key) => ({ segment: { case: 'key', value: key } })), value }
}

export const textValue = (matcher: TextMatcher): ValueMatcher => ({ matchPattern: { case: 'stringMatch', value: matcher } })
export const listValue = (matcher: TextMatcher): ValueMatcher => ({ matchPattern: { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value: textValue(matcher) } } } })

/** Claims are one text or a list of them. */
export const oneOrListed = (matcher: TextMatcher): ValueMatcher => ({ matchPattern: { case: 'orMatch', value: { valueMatchers: [listValue(matcher), textValue(matcher)] } } })
