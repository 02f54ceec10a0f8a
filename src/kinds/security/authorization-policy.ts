// AuthorizationPolicy: who may do what at which workloads (security spec 2.5 to 2.7). Its shape; what of it fits together
// is authorization-policy-rules.ts.
import { z } from 'zod'
import { ipOrCidr } from '../fields/host.ts'
import type { Frozen, Kind } from '../kind.ts'
import { attachment, attachmentNotServed } from './attachment.ts'
import { authorizationPolicyRules } from './authorization-policy-rules.ts'

const texts = z.array(z.string().min(1, 'must not be empty: nothing is empty, so nothing would match')).optional()
const networks = z.array(ipOrCidr).optional()

/** Istio's own limit: each value becomes an expression of its own. */
const accounts = z.array(z.string().min(1, 'must not be empty').max(320)).max(16).optional()

const source = z.strictObject({
  principals: texts, notPrincipals: texts, requestPrincipals: texts, notRequestPrincipals: texts, namespaces: texts, notNamespaces: texts,
  serviceAccounts: accounts, notServiceAccounts: accounts, trustDomains: texts, notTrustDomains: texts,
  ipBlocks: networks, notIpBlocks: networks, remoteIpBlocks: networks, notRemoteIpBlocks: networks,
})

const operation = z.strictObject({
  hosts: texts, notHosts: texts, ports: texts, notPorts: texts, methods: texts, notMethods: texts, paths: texts, notPaths: texts,
})

const condition = z.strictObject({ key: z.string().min(1, 'must name an attribute'), values: texts, notValues: texts })

const rule = z.strictObject({
  from: z.array(z.strictObject({ source })).min(1, 'must have a source: without `from` anybody is meant').optional(),
  to: z.array(z.strictObject({ operation })).min(1, 'must have an operation: without `to` any is meant').optional(),
  when: z.array(condition).optional(),
})

const schema = z
  .strictObject({
    ...attachment,
    action: z.enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']).default('ALLOW'),
    provider: z.strictObject({ name: z.string() }).optional(),
    rules: z.array(rule).max(512).default([]),
  })
  .prefault({})

export type AuthorizationPolicy = z.infer<typeof schema>
export type AuthorizationPolicySpec = Frozen<AuthorizationPolicy>
export type AuthorizationRule = AuthorizationPolicySpec['rules'][number]
export type AuthorizationSource = NonNullable<AuthorizationRule['from']>[number]['source']
export type AuthorizationOperation = NonNullable<AuthorizationRule['to']>[number]['operation']
export type AuthorizationCondition = NonNullable<AuthorizationRule['when']>[number]

export const authorizationPolicy: Kind<AuthorizationPolicy> = {
  kind: 'AuthorizationPolicy',
  group: 'security.istio.io',
  versions: ['v1', 'v1beta1'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: authorizationPolicyRules,
  notServed: attachmentNotServed,
}
