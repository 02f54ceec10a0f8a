// What must fit together in an AuthorizationPolicy, and what is valid and surely not meant (security spec 2.5 to 2.7).
// Which attributes there are is authorization-attributes.ts.
import { error, warning, within } from '../kind.ts'
import type { Finding, Rule } from '../kind.ts'
import type { FieldPath } from '../../model/resource.ts'
import { attachmentRules } from './attachment.ts'
import type { Attachment } from './attachment.ts'
import { attributeProblem, templateProblem } from './authorization-attributes.ts'
import type { AuthorizationPolicy, AuthorizationPolicySpec, AuthorizationRule } from './authorization-policy.ts'

type Fields = Readonly<Record<string, readonly string[] | undefined>>

/** A source or operation of a rule, with its place. */
interface Part {
  readonly at: FieldPath
  readonly fields: Fields
}

const sources = ({ from = [] }: AuthorizationRule, rule: number): Part[] =>
  from.map(({ source }, index) => ({ at: ['rules', rule, 'from', index, 'source'], fields: source }))

const operations = ({ to = [] }: AuthorizationRule, rule: number): Part[] =>
  to.map(({ operation }, index) => ({ at: ['rules', rule, 'to', index, 'operation'], fields: operation }))

const parts = ({ rules }: AuthorizationPolicySpec): Part[] => rules.flatMap((rule, index) => [...sources(rule, index), ...operations(rule, index)])

/** Every value of the named fields, `principals` with `notPrincipals`. */
function* valuesOf(spec: AuthorizationPolicySpec, names: readonly string[]): Iterable<readonly [at: FieldPath, value: string]> {
  for (const { at, fields } of parts(spec)) {
    for (const name of names.flatMap((one) => [one, `not${one[0]!.toUpperCase()}${one.slice(1)}`])) {
      for (const [index, value] of (fields[name] ?? []).entries()) yield [[...at, name, index], value]
    }
  }
}

const quote = (text: string): string => JSON.stringify(text)
const isWritten = (values: readonly string[] | undefined): boolean => values !== undefined && values.length > 0

const errors: readonly Rule<AuthorizationPolicy>['check'][] = [
  function* ({ action, rules }) {
    if (rules.length === 0 && (action === 'DENY' || action === 'CUSTOM')) {
      yield [['rules'], `a policy with action ${action} and no rules would never do anything: for all requests write rules: [{}]`]
    }
  },
  function* ({ action, provider }) {
    if (action === 'CUSTOM' && (provider?.name ?? '') === '') yield [['provider'], 'action CUSTOM needs the name of an extension provider of MeshConfig']
    if (action !== 'CUSTOM' && provider !== undefined) yield [['provider'], `is for action CUSTOM, not ${action}`]
  },
  function* (spec) {
    for (const { at, fields } of parts(spec)) {
      if (!Object.values(fields).some(isWritten)) yield [at, `must have at least one field with a value: to mean any ${at.at(-1)}, leave it out`]
    }
  },
  function* (spec) {
    for (const { at, fields } of parts(spec)) {
      for (const name of ['serviceAccounts', 'notServiceAccounts']) {
        const beside = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'].find((one) => isWritten(fields[one]))
        if (isWritten(fields[name]) && beside !== undefined) yield [[...at, name], `cannot stand beside ${beside}: a service account says namespace and principal`]
      }
    }
  },
  function* (spec) {
    for (const [at, value] of valuesOf(spec, ['serviceAccounts'])) {
      if (value.includes('*')) yield [at, `${quote(value)}: a service account has no wildcards`]
      else if (!/^[^/]+(\/[^/]+)?$/.test(value)) yield [at, `${quote(value)} is neither NAME nor NAMESPACE/NAME`]
    }
  },
  function* (spec) {
    for (const [at, value] of valuesOf(spec, ['ports'])) {
      if (!/^[1-9]\d{0,4}$/.test(value) || Number(value) > 65535) yield [at, `${quote(value)} is not a port, 1 to 65535`]
    }
  },
  function* (spec) {
    for (const [at, value] of valuesOf(spec, ['paths'])) {
      const message = templateProblem(value)
      if (message !== undefined) yield [at, message]
    }
  },
  function* ({ rules }) {
    for (const [index, { when = [] }] of rules.entries()) {
      for (const [position, { key, values, notValues }] of when.entries()) {
        const at = ['rules', index, 'when', position]
        if (!isWritten(values) && !isWritten(notValues)) yield [at, 'needs values or notValues']
        yield* attributeProblem(key, values, notValues, at)
      }
    }
  },
  forbiddenInCustom,
]

const whatCustomCannotSee = ['principals', 'requestPrincipals', 'namespaces', 'serviceAccounts', 'trustDomains']

/** The provider is asked before anything of the client has been verified by a token. */
function* forbiddenInCustom({ action, rules }: AuthorizationPolicySpec): Iterable<Finding> {
  if (action !== 'CUSTOM') return
  for (const [index, rule] of rules.entries()) {
    for (const { at, fields } of sources(rule, index)) {
      for (const name of whatCustomCannotSee.flatMap((one) => [one, `not${one[0]!.toUpperCase()}${one.slice(1)}`])) {
        if (isWritten(fields[name])) yield [[...at, name], 'cannot be used with action CUSTOM: the provider is asked before it is known']
      }
    }
    for (const [position, { key }] of (rule.when ?? []).entries()) {
      const unknown = key.startsWith('request.auth.') || (key.startsWith('source.') && key !== 'source.ip')
      if (unknown) yield [['rules', index, 'when', position, 'key'], `${quote(key)} cannot be used with action CUSTOM: the provider is asked before it is known`]
    }
  }
}

const warnings: readonly Rule<AuthorizationPolicy>['check'][] = [
  function* (spec) {
    for (const { at, fields } of parts(spec)) {
      if (!Object.values(fields).some(isWritten)) continue
      for (const [name, values] of Object.entries(fields)) if (values !== undefined && values.length === 0) yield [[...at, name], 'is an empty list: it restricts nothing, as if it were not there']
    }
  },
  function* (spec) {
    const namesAnyNamespace = new Set(['namespaces', 'notNamespaces', 'trustDomains', 'notTrustDomains'])
    for (const { at, fields } of parts(spec)) {
      for (const [name, values = []] of Object.entries(fields)) {
        for (const [index, value] of values.entries()) {
          if (!namesAnyNamespace.has(name) && hasInnerWildcard(value)) yield [[...at, name, index], `${quote(value)}: a * that is neither first nor last is meant literally`]
        }
      }
    }
  },
  function* (spec) {
    for (const [at, value] of valuesOf(spec, ['principals'])) {
      if (value.startsWith('spiffe://')) yield [at, `${quote(value)} matches nobody: principals are written without spiffe://`]
    }
    for (const [at, value] of valuesOf(spec, ['methods'])) {
      if (value !== value.toUpperCase()) yield [at, `${quote(value)} matches no request: methods are compared in capitals; did you mean ${value.toUpperCase()}?`]
    }
    for (const [at, value] of valuesOf(spec, ['paths'])) {
      if (value.includes('?') || value.includes('#')) yield [at, `${quote(value)} matches no request: a path is compared without its query`]
      else if (!/^[/*{]/.test(value)) yield [at, `${quote(value)} matches no request: paths begin with a slash`]
    }
    for (const [at, value] of valuesOf(spec, ['requestPrincipals'])) {
      if (value !== '*' && !value.includes('/')) yield [at, `${quote(value)} matches nobody: a request principal is ISSUER/SUBJECT`]
    }
  },
  function* ({ action, rules }) {
    if (action !== 'DENY') return
    for (const [index, rule] of rules.entries()) {
      const needsHttp = [...sources(rule, index), ...operations(rule, index)].some(({ fields }) => httpFields.some((name) => isWritten(fields[name])))
        || (rule.when ?? []).some(({ key }) => key.startsWith('request.'))
      const namesPorts = (rule.to ?? []).length > 0 && (rule.to ?? []).every(({ operation }) => isWritten(operation.ports))
      if (needsHttp && !namesPorts && !hasOther(rule)) {
        yield [['rules', index], 'has nothing but attributes of HTTP: on ports that speak TCP it denies every connection; name the ports that it is for']
      }
    }
  },
]

const httpFields = ['requestPrincipals', 'hosts', 'methods', 'paths'].flatMap((one) => [one, `not${one[0]!.toUpperCase()}${one.slice(1)}`])

/** Something that holds for connections too, and narrows what is denied there. */
function hasOther(rule: AuthorizationRule): boolean {
  const others = [...sources(rule, 0), ...operations(rule, 0)].some(({ fields }) => Object.entries(fields).some(([name, values]) => !httpFields.includes(name) && isWritten(values)))
  return others || (rule.when ?? []).some(({ key }) => !key.startsWith('request.'))
}

const hasInnerWildcard = (value: string): boolean => {
  const inner = value.replace(/^\*/, '').replace(/\*$/, '')
  return inner.includes('*') && !inner.includes('{') || (value.length > 1 && value.startsWith('*') && value.endsWith('*'))
}

export const authorizationPolicyRules: readonly Rule<AuthorizationPolicy>[] = [
  ...within<AuthorizationPolicy, Attachment>((spec) => spec, [], attachmentRules), ...errors.map(error), ...warnings.map(warning),
]
