// Every rule of an AuthorizationPolicy: what is refused, what is warned of, and the twin that is fine.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from '../parse.ts'
import { testKind } from '../../../test/support/kind-cases.ts'
import type { KindCase } from '../../../test/support/kind-cases.ts'

const authorizationPolicy = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  spec: {
    selector: { matchLabels: { app: 'a' } },
    rules: [{
      from: [{ source: { principals: ['cluster.local/ns/a/sa/b', '*'], ipBlocks: ['10.0.0.0/8', '::1'] } }],
      to: [{ operation: { methods: ['GET'], paths: ['/a*', '*/b', '/x/{*}/y', '/z/{**}'], ports: ['80'] } }],
      when: [{ key: 'request.headers[x-user]', values: ['a'] }],
    }],
  },
}

const source = (value: object) => ['rules[0].from[0].source', value] as const
const operation = (value: object) => ['rules[0].to[0].operation', value] as const
const when = (value: object) => ['rules[0].when[0]', value] as const
const path = (value: string) => ['rules[0].to[0].operation', { paths: [value] }] as const
const pathAt = 'rules[0].to[0].operation.paths[0]'
const custom = [['action', 'CUSTOM'], ['provider', { name: 'p' }], ['rules[0].when', undefined], source({ ipBlocks: ['10.0.0.1'] })] as const
const notYet = 'cannot be used with action CUSTOM: the provider is asked before it is known'

const refused: readonly KindCase[] = [
  { title: 'a selector and a target', change: ['targetRefs', [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' }]], message: 'cannot stand beside selector: a policy is for one or the other', twin: [['selector', undefined], ['targetRefs', [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' }]]] },
  { title: 'one target and several', change: [['targetRefs', [{ kind: 'Service', name: 's' }]], ['targetRef', { kind: 'Service', name: 's' }], ['selector', undefined]], path: 'targetRefs', message: 'cannot stand beside targetRef: a policy is for one or the other', twin: [['targetRef', { kind: 'Service', name: 's' }], ['selector', undefined]] },
  { title: 'a target that is none', change: [['targetRefs', [{ kind: 'Gateway', name: 'g' }]], ['selector', undefined]], path: 'targetRefs[0].kind', message: '"" "Gateway" is nothing that a policy can be for: Gateway and GatewayClass (group gateway.networking.k8s.io), Service (no group) and ServiceEntry (group networking.istio.io) are', twin: [['targetRefs', [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' }]], ['selector', undefined]] },
  { title: 'a target of another namespace', change: [['targetRef', { kind: 'Service', name: 's', namespace: 'b' }], ['selector', undefined]], path: 'targetRef.namespace', message: "must be the policy's own, shop: a policy is for what is in its namespace", twin: [['targetRef', { kind: 'Service', name: 's', namespace: 'shop' }], ['selector', undefined]] },
  { title: 'a DENY without rules', change: [['rules', undefined], ['action', 'DENY']], path: 'rules', message: 'a policy with action DENY and no rules would never do anything: for all requests write rules: [{}]', twin: [['rules', [{}]], ['action', 'DENY']] },
  { title: 'a CUSTOM without rules', change: [['rules', undefined], ['action', 'CUSTOM'], ['provider', { name: 'p' }]], path: 'rules', message: 'a policy with action CUSTOM and no rules would never do anything: for all requests write rules: [{}]', twin: ['rules', undefined] },
  { title: 'an action that is none', change: ['action', 'ALOW'], message: 'must be one of ALLOW, DENY, AUDIT, CUSTOM, not "ALOW"; did you mean ALLOW?', twin: ['action', 'AUDIT'] },
  { title: 'a CUSTOM without a provider', change: [['provider', undefined], custom[0], custom[2], custom[3]], path: 'provider', message: 'action CUSTOM needs the name of an extension provider of MeshConfig', twin: custom },
  { title: 'a provider of an ALLOW', change: ['provider', { name: 'p' }], message: 'is for action CUSTOM, not ALLOW', twin: custom },
  { title: 'sources that are none', change: ['rules[0].from', []], message: 'must have a source: without `from` anybody is meant', twin: ['rules[0].from', undefined] },
  { title: 'operations that are none', change: ['rules[0].to', []], message: 'must have an operation: without `to` any is meant', twin: ['rules[0].to', undefined] },
  { title: 'a source of nothing', change: source({}), message: 'must have at least one field with a value: to mean any source, leave it out', twin: source({ notIpBlocks: ['10.0.0.1'] }) },
  { title: 'an operation of empty lists', change: operation({ methods: [] }), message: 'must have at least one field with a value: to mean any operation, leave it out', twin: operation({ methods: ['GET'] }) },
  { title: 'an empty value', change: source({ principals: [''] }), path: 'rules[0].from[0].source.principals[0]', message: 'must not be empty: nothing is empty, so nothing would match', twin: source({ principals: ['*'] }) },
  { title: 'a field that is mistyped', change: source({ principles: ['a'] }), path: 'rules[0].from[0].source.principles', message: 'unknown field "principles"; did you mean principals?', twin: source({ principals: ['a'] }) },
  { title: 'what is no network', change: source({ ipBlocks: ['10.0.0/8'] }), path: 'rules[0].from[0].source.ipBlocks[0]', message: '"10.0.0/8" is neither an IP address nor a CIDR such as 10.0.0.0/8', twin: source({ ipBlocks: ['10.0.0.0/8'] }) },
  { title: 'a service account beside a principal', change: source({ serviceAccounts: ['a'], notPrincipals: ['b'] }), path: 'rules[0].from[0].source.serviceAccounts', message: 'cannot stand beside notPrincipals: a service account says namespace and principal', twin: source({ serviceAccounts: ['a'], ipBlocks: ['::1'] }) },
  { title: 'a service account with a wildcard', change: source({ serviceAccounts: ['a/*'] }), path: 'rules[0].from[0].source.serviceAccounts[0]', message: '"a/*": a service account has no wildcards', twin: source({ serviceAccounts: ['a/b'] }) },
  { title: 'a service account with too many parts', change: source({ serviceAccounts: ['a/b/c'] }), path: 'rules[0].from[0].source.serviceAccounts[0]', message: '"a/b/c" is neither NAME nor NAMESPACE/NAME', twin: source({ notServiceAccounts: ['b'] }) },
  { title: 'a port by its name', change: operation({ notPorts: ['http'] }), path: 'rules[0].to[0].operation.notPorts[0]', message: '"http" is not a port, 1 to 65535', twin: operation({ notPorts: ['65535'] }) },
  { title: 'braces around something else', change: path('/a/{id}'), path: pathAt, message: '"/a/{id}": only {*} and {**} can stand in braces', twin: path('/a/{*}') },
  { title: 'a template beside a wildcard', change: path('/a/{*}/*'), path: pathAt, message: '"/a/{*}/*" mixes {*} or {**} with a plain *: write one or the other', twin: path('/a/{*}/{**}') },
  { title: 'a template that is a part of its segment', change: path('/a{*}/b'), path: pathAt, message: '"/a{*}/b": {*} and {**} stand alone between slashes', twin: path('/a/{*}/b') },
  { title: 'a template after the one for all', change: path('/{**}/{*}'), path: pathAt, message: '"/{**}/{*}": {**} must be the last of them', twin: path('/{*}/{**}/') },
  { title: 'a template without a slash', change: path('{*}'), path: pathAt, message: '"{*}": a path with {*} or {**} begins with a slash', twin: path('/{*}') },
  { title: 'a condition without values', change: when({ key: 'source.ip' }), message: 'needs values or notValues', twin: when({ key: 'source.ip', notValues: ['10.0.0.1'] }) },
  { title: 'an attribute that nobody knows', change: when({ key: 'source.principle', values: ['a'] }), path: 'rules[0].when[0].key', message: 'nobody knows the attribute "source.principle"; did you mean source.principal?', twin: when({ key: 'source.principal', values: ['a'] }) },
  { title: 'a header without a name', change: when({ key: 'request.headers', values: ['a'] }), path: 'rules[0].when[0].key', message: '"request.headers" is written request.headers[NAME]', twin: when({ key: 'request.headers[a]', values: ['a'] }) },
  { title: 'a claim without brackets', change: when({ key: 'request.auth.claims.groups', values: ['a'] }), path: 'rules[0].when[0].key', message: '"request.auth.claims.groups" is written request.auth.claims[NAME] or request.auth.claims[NAME][NAME]', twin: when({ key: 'request.auth.claims[a][b]', values: ['a'] }) },
  { title: 'an address that is none', change: when({ key: 'remote.ip', values: ['a'] }), path: 'rules[0].when[0].values[0]', message: '"a" is neither an IP address nor a CIDR such as 10.0.0.0/8', twin: when({ key: 'remote.ip', values: ['::/0'] }) },
  { title: 'a destination port that is none', change: when({ key: 'destination.port', notValues: ['0'] }), path: 'rules[0].when[0].notValues[0]', message: '"0" is not a port, 1 to 65535', twin: when({ key: 'destination.port', notValues: ['1'] }) },
  { title: 'a principal with CUSTOM', change: [...custom, source({ notPrincipals: ['a'] })], path: 'rules[0].from[0].source.notPrincipals', message: notYet, twin: custom },
  { title: 'a claim with CUSTOM', change: [...custom, ['rules[0].when', [{ key: 'request.auth.claims[a]', values: ['b'] }]]], path: 'rules[0].when[0].key', message: `"request.auth.claims[a]" ${notYet}`, twin: [...custom, ['rules[0].when', [{ key: 'source.ip', values: ['::1'] }]]] },
  { title: 'a dry run that is neither on nor off', change: ['metadata.annotations', { 'istio.io/dry-run': 'yes' }], path: 'metadata.annotations.istio.io/dry-run', message: 'must be "true" or "false", not "yes"', twin: ['metadata.annotations', { 'istio.io/dry-run': 'true' }] },
]

const denies = ['action', 'DENY'] as const
const warned: readonly KindCase[] = [
  { title: 'a selector of everything', change: ['selector', {}], message: 'selects every workload of the namespace, since it has no matchLabels', twin: ['selector', undefined] },
  { title: 'an empty list beside others', change: source({ principals: [], namespaces: ['a'] }), path: 'rules[0].from[0].source.principals', message: 'is an empty list: it restricts nothing, as if it were not there', twin: source({ namespaces: ['a'] }) },
  { title: 'a wildcard in the middle', change: path('/a/*/b'), path: pathAt, message: '"/a/*/b": a * that is neither first nor last is meant literally', twin: path('/a/*') },
  { title: 'a wildcard at both ends', change: path('*a*'), path: pathAt, message: '"*a*": a * that is neither first nor last is meant literally', twin: path('*a') },
  { title: 'a principal with its scheme', change: source({ principals: ['spiffe://a/ns/b/sa/c'] }), path: 'rules[0].from[0].source.principals[0]', message: '"spiffe://a/ns/b/sa/c" matches nobody: principals are written without spiffe://', twin: source({ principals: ['a/ns/b/sa/c'] }) },
  { title: 'a method in small letters', change: operation({ methods: ['get'] }), path: 'rules[0].to[0].operation.methods[0]', message: '"get" matches no request: methods are compared in capitals; did you mean GET?', twin: operation({ methods: ['GET'] }) },
  { title: 'a path with a query', change: path('/a?b=c'), path: pathAt, message: '"/a?b=c" matches no request: a path is compared without its query', twin: path('/a') },
  { title: 'a path without a slash', change: path('a'), path: pathAt, message: '"a" matches no request: paths begin with a slash', twin: path('*a') },
  { title: 'a request principal without a subject', change: source({ requestPrincipals: ['issuer'] }), path: 'rules[0].from[0].source.requestPrincipals[0]', message: '"issuer" matches nobody: a request principal is ISSUER/SUBJECT', twin: source({ requestPrincipals: ['issuer/*'] }) },
  { title: 'a DENY that would deny all TCP', change: [denies, ['rules', [{ to: [{ operation: { methods: ['GET'] } }] }]]], path: 'rules[0]', message: 'has nothing but attributes of HTTP: on ports that speak TCP it denies every connection; name the ports that it is for', twin: [denies, ['rules', [{ to: [{ operation: { methods: ['GET'], ports: ['80'] } }] }]]] },
]

testKind(authorizationPolicy, [...refused, ...warned.map((one): KindCase => ({ ...one, severity: 'warning' }))])

void test('a policy without a spec is one that allows nothing', () => {
  const { resources, issues } = parseDocuments('apiVersion: security.istio.io/v1beta1\nkind: AuthorizationPolicy\nmetadata: { name: nothing }\n', 'a.yaml')
  assert.deepEqual(issues, [])
  assert.deepEqual(resources[0]?.spec, { action: 'ALLOW', rules: [], targetRefs: [] })
})

void test('a policy may have no more rules and targets than Istio takes', () => {
  const many = (count: number, one: object) => JSON.stringify(Array.from({ length: count }, () => one))
  const document = (spec: string) => `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: many }\nspec: ${spec}\n`
  assert.match(parseDocuments(document(`{ rules: ${many(513, {})} }`), 'a.yaml').issues[0]?.message ?? '', /at most 512/)
  assert.match(parseDocuments(document(`{ targetRefs: ${many(17, { kind: 'Gateway', name: 'a' })} }`), 'a.yaml').issues[0]?.message ?? '', /at most 16/)
  assert.deepEqual(parseDocuments(document(`{ rules: ${many(512, {})} }`), 'a.yaml').issues, [])
})
