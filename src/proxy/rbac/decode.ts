// Reads Envoy's RBAC rules into expressions. What it does not know is refused: a policy that is half understood would be
// no policy.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { CidrRange } from '../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { TypedExtensionConfig } from '../../proto/gen/envoy/config/core/v3/extension_pb.ts'
import { MetadataSource, RBAC_Action as Action } from '../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type { Permission, Policy, Principal, RBAC, SourcedMetadata } from '../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type { HeaderMatcher } from '../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { UriTemplateMatchConfigSchema } from '../../proto/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts'
import type { MetadataMatcher } from '../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts'
import type { PathMatcher } from '../../proto/gen/envoy/type/matcher/v3/path_pb.ts'
import type { Expression, IpFact, RbacAction, RbacPolicy, RbacRules } from '../../security/rbac/expression.ts'
import { textMatchOf } from '../http/router/header-condition.ts'
import { badConfig, within } from '../http/router/problem.ts'
import { parseCidr } from '../listen/cidr.ts'
import { templateTest, textTest } from './text.ts'
import { valueTest } from './value.ts'

export function decodeRules({ action, policies, auditLoggingOptions }: RBAC): RbacRules {
  if (auditLoggingOptions !== undefined) throw badConfig('audit_logging_options is not served: the audit log has all denials anyway')
  return { action: actionOf(action), policies: Object.entries(policies).map(([name, policy]) => within(`policy ${name}`, () => decodePolicy(name, policy))) }
}

function actionOf(action: Action): RbacAction {
  switch (action) {
    case Action.ALLOW: return 'allow'
    case Action.DENY: return 'deny'
    case Action.LOG: return 'log'
    default: throw badConfig(`action ${String(action)} is not known`)
  }
}

function decodePolicy(name: string, { permissions, principals, condition, checkedCondition }: Policy): RbacPolicy {
  if (condition !== undefined || checkedCondition !== undefined) throw badConfig('conditions in CEL are not served')
  if (permissions.length === 0 || principals.length === 0) throw badConfig('needs permissions and principals')
  return { name, permissions: permissions.map(permission), principals: principals.map(principal) }
}

const any: Expression = { kind: 'any' }
const not = (of: Expression): Expression => ({ kind: 'not', of })

function permission({ rule }: Permission): Expression {
  switch (rule.case) {
    case 'andRules': return { kind: 'all', of: rule.value.rules.map(permission) }
    case 'orRules': return { kind: 'some', of: rule.value.rules.map(permission) }
    case 'notRule': return not(permission(rule.value))
    case 'any': return any
    case 'header': return header(rule.value)
    case 'urlPath': return path(rule.value)
    case 'uriTemplate': return template(rule.value)
    case 'destinationIp': return ip('destination', rule.value)
    case 'destinationPort': return { kind: 'port', start: rule.value, end: rule.value + 1 }
    case 'destinationPortRange': return { kind: 'port', start: rule.value.start, end: rule.value.end }
    case 'metadata': return metadata(rule.value)
    case 'sourcedMetadata': return sourced(rule.value)
    case 'requestedServerName': return { kind: 'server-name', test: textTest(rule.value) }
    default: throw badConfig(`a permission of kind ${rule.case ?? 'none'} is not supported`)
  }
}

function principal({ identifier: id }: Principal): Expression {
  switch (id.case) {
    case 'andIds': return { kind: 'all', of: id.value.ids.map(principal) }
    case 'orIds': return { kind: 'some', of: id.value.ids.map(principal) }
    case 'notId': return not(principal(id.value))
    case 'any': return any
    case 'authenticated': return { kind: 'identity', test: id.value.principalName === undefined ? undefined : textTest(id.value.principalName) }
    case 'sourceIp':
    case 'directRemoteIp': return ip('source', id.value)
    case 'remoteIp': return ip('remote', id.value)
    case 'header': return header(id.value)
    case 'urlPath': return path(id.value)
    case 'metadata': return metadata(id.value)
    case 'sourcedMetadata': return sourced(id.value)
    default: throw badConfig(`a principal of kind ${id.case ?? 'none'} is not supported`)
  }
}

function header(matcher: HeaderMatcher): Expression {
  const { headerMatchSpecifier: { case: kind, value }, invertMatch, treatMissingHeaderAsEmpty } = matcher
  const name = matcher.name.toLowerCase()
  if (name === '') throw badConfig('a header matcher without a name')
  const isThere: Expression = { kind: 'header-present', name }
  if (kind === undefined) return invertMatch ? not(isThere) : isThere
  if (kind === 'presentMatch') return value === invertMatch ? not(isThere) : isThere
  const test = kind === 'stringMatch' ? textTest(value) : { ...textMatchOf(matcher), key: undefined }
  const found: Expression = { kind: 'header', name, test, missingIsEmpty: treatMissingHeaderAsEmpty }
  // One that is missing matches neither way.
  if (!invertMatch) return found
  return treatMissingHeaderAsEmpty ? not(found) : { kind: 'all', of: [isThere, not(found)] }
}

function path({ rule }: PathMatcher): Expression {
  if (rule.case !== 'path') throw badConfig('a path matcher without a path')
  return { kind: 'path', test: textTest(rule.value) }
}

function template({ typedConfig }: TypedExtensionConfig): Expression {
  const config = typedConfig === undefined ? undefined : anyUnpack(typedConfig, UriTemplateMatchConfigSchema)
  if (config === undefined) throw badConfig(`a path template of type ${typedConfig?.typeUrl ?? 'none'} is not supported`)
  return { kind: 'path', test: templateTest(config.pathTemplate) }
}

function ip(of: IpFact, { addressPrefix, prefixLen }: CidrRange): Expression {
  const range = parseCidr(addressPrefix, prefixLen ?? 0)
  if (range === undefined) throw badConfig(`${addressPrefix}/${prefixLen ?? 0} is not a network`)
  return { kind: 'ip', of, range, words: `${addressPrefix}/${prefixLen ?? 0}` }
}

function sourced({ metadataMatcher, metadataSource }: SourcedMetadata): Expression {
  if (metadataMatcher === undefined || metadataSource !== MetadataSource.DYNAMIC) throw badConfig('sourced_metadata: only what filters learnt can be asked for, by a matcher')
  return metadata(metadataMatcher)
}

function metadata({ filter, path: segments, value, invert }: MetadataMatcher): Expression {
  const keys = segments.map(({ segment }) => (segment.case === 'key' ? segment.value : ''))
  const found: Expression = { kind: 'metadata', namespace: filter, path: keys, test: valueTest(value) }
  return invert ? not(found) : found
}
