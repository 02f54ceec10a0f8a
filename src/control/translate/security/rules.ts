// One rule of an AuthorizationPolicy as a policy of Envoy's RBAC: permissions from `to`, principals from `from`, and each
// condition of `when` joined to all of either (security spec 2.5).
import type { AuthorizationOperation, AuthorizationRule, AuthorizationSource } from '../../../kinds/security/authorization-policy.ts'
import type { PolicySchema } from '../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type { Init } from '../any.ts'
import { permissionAttribute, principalAttribute } from './attributes.ts'
import type { Attribute, Meaning, Permission, Principal } from './attributes.ts'

export type RbacPolicy = Init<typeof PolicySchema>

/** What a rule is for, and what it may look at. */
export interface RuleUse extends Meaning {
  /** Where only connections are known. */
  readonly bytes: boolean
  /** Lets in what it matches: what cannot be checked must not match. All others match more without it. */
  readonly allows: boolean
}

/** What an ALLOW without rules is: it is there, and matches nothing. */
export const matchesNothing: RbacPolicy = {
  permissions: [{ rule: { case: 'notRule', value: { rule: { case: 'any', value: true } } } }],
  principals: [{ identifier: { case: 'notId', value: { identifier: { case: 'any', value: true } } } }],
}

/** Undefined: a rule that lets in is left out, because it asks for what connections do not have. */
export function rbacPolicy(rule: AuthorizationRule, use: RuleUse): RbacPolicy | undefined {
  const conditions = rule.when ?? []
  const ofPermissions = conditions.flatMap(({ key, values, notValues }) => clause(permissionAttribute(key), values, notValues))
  const ofPrincipals = conditions.flatMap(({ key, values, notValues }) => clause(principalAttribute(key), values, notValues))
  const operations = (rule.to ?? [undefined]).map((one) => [...(one === undefined ? [] : operationClauses(one.operation)), ...ofPermissions])
  const sources = (rule.from ?? [undefined]).map((one) => [...(one === undefined ? [] : sourceClauses(one.source)), ...ofPrincipals])
  if (use.bytes && use.allows && [...operations, ...sources].flat().some(({ attribute: { needsHttp } }) => needsHttp)) return undefined
  return {
    permissions: operations.map((clauses) => joined(terms(clauses, use, permissionWords), permissionWords)),
    principals: sources.map((clauses) => joined(terms(clauses, use, principalWords), principalWords)),
  }
}

interface Clause<Term> {
  readonly attribute: Attribute<Term>
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

function clause<Term>(attribute: Attribute<Term> | undefined, values: readonly string[] = [], notValues: readonly string[] = []): Clause<Term>[] {
  return attribute === undefined || values.length + notValues.length === 0 ? [] : [{ attribute, values, notValues }]
}

const operationClauses = (one: AuthorizationOperation): Clause<Permission>[] => [
  ...clause(permissionAttribute('hosts'), one.hosts, one.notHosts),
  ...clause(permissionAttribute('methods'), one.methods, one.notMethods),
  ...clause(permissionAttribute('paths'), one.paths, one.notPaths),
  ...clause(permissionAttribute('destination.port'), one.ports, one.notPorts),
]

const sourceClauses = (one: AuthorizationSource): Clause<Principal>[] => [
  ...clause(principalAttribute('source.ip'), one.ipBlocks, one.notIpBlocks),
  ...clause(principalAttribute('remote.ip'), one.remoteIpBlocks, one.notRemoteIpBlocks),
  ...clause(principalAttribute('source.namespace'), one.namespaces, one.notNamespaces),
  ...clause(principalAttribute('source.serviceAccount'), one.serviceAccounts, one.notServiceAccounts),
  ...clause(principalAttribute('source.trustDomain'), one.trustDomains, one.notTrustDomains),
  ...clause(principalAttribute('request.auth.principal'), one.requestPrincipals, one.notRequestPrincipals),
  ...clause(principalAttribute('source.principal'), one.principals, one.notPrincipals),
]

/** How one side says all, any, not. */
interface Words<Term> {
  all(terms: Term[]): Term
  any(terms: Term[]): Term
  not(term: Term): Term
  readonly everything: Term
}

const permissionWords: Words<Permission> = {
  all: (rules) => ({ rule: { case: 'andRules', value: { rules } } }),
  any: (rules) => ({ rule: { case: 'orRules', value: { rules } } }),
  not: (value) => ({ rule: { case: 'notRule', value } }),
  everything: { rule: { case: 'any', value: true } },
}

const principalWords: Words<Principal> = {
  all: (ids) => ({ identifier: { case: 'andIds', value: { ids } } }),
  any: (ids) => ({ identifier: { case: 'orIds', value: { ids } } }),
  not: (value) => ({ identifier: { case: 'notId', value } }),
  everything: { identifier: { case: 'any', value: true } },
}

/** Rules that do not let in lose what connections do not have. */
function terms<Term>(clauses: readonly Clause<Term>[], use: RuleUse, words: Words<Term>): Term[] {
  return clauses.filter(({ attribute }) => !use.bytes || !attribute.needsHttp).flatMap(({ attribute, values, notValues }) => {
    const found: Term[] = []
    if (values.length > 0) found.push(words.any(values.flatMap((value) => attribute.terms(value, use))))
    if (notValues.length > 0) found.push(words.not(words.any(notValues.flatMap((value) => attribute.terms(value, use)))))
    return found
  })
}

const joined = <Term>(found: Term[], { all, everything }: Words<Term>): Term => (found.length === 0 ? everything : all(found))
