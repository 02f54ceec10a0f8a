// Text to resources: documents and lists, YAML and JSON, what is broken and where, and which kinds are whose business.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPath } from '../model/resource.ts'
import { parseDocuments } from './parse.ts'

const rule = (name: string, more = ''): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ${name}
spec:
  hosts: [a]
  http:
  - route:
    - destination: { host: a }
${more}`

const issuesOf = (text: string): string[] =>
  parseDocuments(text, 'f.yaml').issues.map(({ origin, severity, path, message }) => `${origin.line}:${origin.column} ${severity} ${formatPath(path)}: ${message}`)

const namesOf = (text: string): string[] => parseDocuments(text, 'f.yaml').objects.map((one) => `${one.kind} ${one.name} ${one.line} ${one.handling}`)

const mistyped = '    timout: 1s\n'
const unknownField = '10:5 error spec.http[0].timout: unknown field "timout"; did you mean timeout?'

for (const [title, text] of [
  ['lines that end as on Unix', rule('a', mistyped)],
  ['lines that end as on Windows', rule('a', mistyped).replaceAll('\n', '\r\n')],
  ['a byte order mark', `\ufeff${rule('a', mistyped)}`],
] as const) {
  test(`a place is exact with ${title}`, () => assert.deepEqual(issuesOf(text), [unknownField]))
}

test('a place in JSON is exact', () => {
  const json = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', label: {} } }, null, 2)
  assert.deepEqual(issuesOf(json), ['6:5 error metadata.label: unknown field "label"; did you mean labels?'])
})

test('a place behind an alias is where the alias stands for, once for each use', () => {
  const text = rule('a').replace('- route:', '- &one\n    match: [{ uri: { prefix: /x } }]\n    timout: 1s\n    route:') + '  - *one\n'
  assert.deepEqual(issuesOf(text).filter((one) => one.includes('timout')), [
    '10:5 error spec.http[0].timout: unknown field "timout"; did you mean timeout?',
    '10:5 error spec.http[1].timout: unknown field "timout"; did you mean timeout?',
  ])
})

test('a merged map counts as if it had been written there', () => {
  const text = rule('a').replace('- route:', '- &one\n    match: [{ uri: { prefix: /x } }]\n    route:') + '  - <<: *one\n    match: [{ uri: { prefix: /y } }]\n'
  assert.deepEqual(issuesOf(text), [])
})

for (const [title, broken, expected] of [
  ['a mapping within a line', 'a: b: c', '11:4 error : Nested mappings are not allowed in compact mappings'],
  ['a flow map that does not end', 'x: {a: ', '11:8 error : Flow map in block collection must be sufficiently indented and end with a }'],
  ['a tab', 'x:\n\t- a', '12:1 error : Tabs are not allowed as indentation'],
  ['a field twice', 'a: 1\nb: { c: 1, c: 2 }', '12:12 error : the field "c" is there twice'],
  ['an alias of nothing', 'a: *b', '11:4 error : *b stands for nothing: no &b comes before it'],
  ['a text', 'hello', '11:1 error : is no object with apiVersion, kind and metadata'],
  ['a list', '- a', '11:1 error : is no object with apiVersion, kind and metadata'],
  ['an object without a kind', 'apiVersion: v1', '11:1 error kind: needs a kind'],
  ['an object without a version', 'kind: Service', '11:1 error apiVersion: needs an apiVersion'],
] as const) {
  test(`a document in the middle that is ${title} hides none of the others`, () => {
    const text = `${rule('a')}---\n${broken}\n---\n${rule('b')}`
    assert.deepEqual(issuesOf(text), [expected])
    assert.deepEqual(parseDocuments(text, 'f').resources.map(({ metadata }) => metadata.name), ['a', 'b'])
  })
}

test('empty documents and comments are no objects', () => {
  assert.deepEqual(namesOf('# nothing\n---\n---\n# more\n...\n'), [])
  assert.deepEqual(namesOf(''), [])
})

test('a List is its items, each with its own place', () => {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }, null, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'B_' } },
  ] }, null, 1)
  assert.deepEqual(namesOf(list), ['Namespace a 5 read', '  12 unknown', 'Namespace B_ 13 read'])
  assert.deepEqual(issuesOf(list), [
    '12:3 error : is no object with apiVersion, kind and metadata',
    `17:5 error metadata.name: must be letters, digits, '-' and '.', and begin and end with a letter or digit`,
  ])
})

test('items of a typed list take version and kind from the list', () => {
  const list = 'apiVersion: v1\nkind: NamespaceList\nmetadata: { resourceVersion: "7" }\nitems:\n- metadata: { name: a }\n'
  assert.deepEqual(parseDocuments(list, 'f').resources.map(({ kind, apiVersion, metadata }) => [kind, apiVersion, metadata.name]), [['Namespace', 'v1', 'a']])
})

test('aliases that would fill the memory are refused', () => {
  const layers = ['a', 'b', 'c', 'd'].map((name, index, all) => `${name}: &${name} [${Array(10).fill(index === 0 ? 'x' : `*${all[index - 1]}`).join()}]`)
  assert.deepEqual(issuesOf(`${layers.join('\n')}\ne: [${Array(10).fill('*d').join()}]`), ['1:1 error : cannot be read: its aliases stand for far more than was written'])
})

test('an alias that holds itself does no harm', () => {
  assert.deepEqual(issuesOf('apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\nspec: &a { finalizers: [*a] }\n'), [])
})

test('what is nested too deep is refused', () => {
  assert.match(issuesOf('['.repeat(20_000)).join(), /error : is nested too deep$/)
  assert.match(issuesOf(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`).join(), /error : (cannot be read: )?is nested too deep$/)
})

for (const [title, text, expected] of [
  ['an unknown version', rule('a').replace('/v1', '/v2'), '1:1 error apiVersion: VirtualService has no version networking.istio.io/v2: it is one of networking.istio.io/v1, networking.istio.io/v1beta1, networking.istio.io/v1alpha3'],
  ['a mistyped kind', rule('a').replace('VirtualService', 'VirtualSevice'), '2:1 error kind: nobody knows the kind "VirtualSevice" of networking.istio.io/v1; did you mean VirtualService?'],
  ['a kind of another group', rule('a').replace('networking', 'security'), '2:1 error kind: nobody knows the kind "VirtualService" of security.istio.io/v1; the VirtualService of the mesh is networking.istio.io/v1'],
  ['a mistyped group', rule('a').replace('istio.io', 'istio.oi'), '1:1 error apiVersion: nobody knows the group "networking.istio.oi"; did you mean networking.istio.io?'],
  ['a mistyped group of Kubernetes', 'apiVersion: app/v1\nkind: Deployment\nmetadata: { name: a }', '1:1 error apiVersion: nobody knows the group "app"; did you mean apps?'],
  ['a kind of ours in a group of others', rule('a').replace('networking.istio.io/v1', 'appmesh.k8s.aws/v1beta2'), '1:1 warning apiVersion: the mesh does not read the VirtualService of appmesh.k8s.aws: its own is networking.istio.io/v1'],
  ['a kind that is not served yet', 'apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: a }', '2:1 warning kind: Telemetry is not served yet: the mesh behaves as if it were not there'],
  ['a missing name', rule('a').replace('  name: a', '  labels: {}'), '3:1 error metadata.name: is required'],
  ['a missing spec', 'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: a }', '1:1 error spec: is required'],
  ['a spec that is a list', 'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: a }\nspec: []', '4:1 error spec: must be an object, not a list'],
  ['a field at the top that belongs into spec', `${rule('a')}hosts: [b]\n`, '10:1 error hosts: unknown field "hosts": it is misplaced, it belongs in spec'],
  ['a field with another spelling', rule('a', '    Timeout: 1s\n'), '10:5 error spec.http[0].Timeout: unknown field "Timeout"; did you mean timeout?'],
  ['a field named as in protobuf', rule('a', '    cors_policy: {}\n'), '10:5 error spec.http[0].cors_policy: unknown field "cors_policy"; did you mean corsPolicy?'],
  ['a field one level too deep', rule('a', '      timeout: 1s\n'), '10:7 error spec.http[0].route[0].timeout: unknown field "timeout": it is misplaced, it belongs in spec.http[0]'],
  ['a label that is a number', rule('a').replace('  name: a', '  name: a\n  labels: { a: 1 }'), '5:13 error metadata.labels.a: must be a string, not 1: write it in quotes'],
] as const) {
  test(`${title} is said with its place and the cure`, () => assert.deepEqual(issuesOf(text), [expected]))
}

test('keys that JavaScript knows too are unknown fields like any other', () => {
  const text = rule('a', '    constructor: 1\n    __proto__: { timeout: 1s }\n    toString: 2\n')
  assert.deepEqual(issuesOf(text), ['constructor', '__proto__', 'toString'].map((name, index) => `${10 + index}:5 error spec.http[0].${name}: unknown field "${name}"`))
})

test('what is not the mesh\'s business passes in silence', () => {
  const text = ['apps/v1 DaemonSet', 'v1 Event', 'acme.example/v1 Anything', 'rbac.authorization.k8s.io/v1 Role'].map((one) => {
    const [apiVersion, kind] = one.split(' ')
    return JSON.stringify({ apiVersion, kind, metadata: { name: 'a' }, anything: [] })
  }).join('\n---\n')
  assert.deepEqual(parseDocuments(text, 'f').objects.map(({ handling, issues }) => [handling, issues.length]), Array(4).fill(['inert', 0]))
})

test('one object gets at most a hundred findings', () => {
  const text = rule('a', Array.from({ length: 300 }, (_, i) => `    x${i}: 1\n`).join(''))
  assert.equal(parseDocuments(text, 'f').issues.length, 100)
})

test('a resource is frozen, knows its place and the places of its fields', () => {
  const [resource] = parseDocuments(`\n---\n${rule('a')}`, 'f.yaml').resources
  assert.ok(resource !== undefined && Object.isFrozen(resource) && Object.isFrozen(resource.spec) && Object.isFrozen(resource.metadata.labels))
  assert.deepEqual(resource.origin, { file: 'f.yaml', line: 3, column: 1 })
  assert.deepEqual(resource.locate(['spec', 'http', 0, 'route', 0, 'destination', 'host']), { file: 'f.yaml', line: 11, column: 22 })
  assert.deepEqual(resource.locate(['spec', 'http', 0, 'retries', 'attempts']), { file: 'f.yaml', line: 10, column: 5 })
})

test('metadata says what Kubernetes says of it', () => {
  const text = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: a
  uid: 1
  creationTimestamp: 2024-05-01T12:00:00Z
  deletionTimestamp: 2024-05-02T12:00:00Z
  generation: 3
  ownerReferences: [{ kind: A, name: first }, { kind: B, name: second, controller: true }]
spec: { servers: [{ port: { number: 80, name: a, protocol: HTTP }, hosts: ["*"] }] }
status: { conditions: [] }
`
  const [resource] = parseDocuments(text, 'f').resources
  assert.deepEqual(resource?.metadata, {
    name: 'a', namespace: 'default', labels: {}, annotations: {}, creationTimestamp: Date.UTC(2024, 4, 1, 12), generation: 3,
    owner: { kind: 'B', name: 'second' }, deleting: true,
  })
  assert.deepEqual(resource.status, { conditions: [] })
})

test('an EnvoyFilter is refused by name, and everything beside it is read', () => {
  const text = `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: a }
spec: { configPatches: [] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: b }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`
  const { resources, issues } = parseDocuments(text, 'f')
  assert.deepEqual(resources.map((one) => one.kind), ['Gateway'])
  assert.deepEqual(issues.map(({ severity, message }) => `${severity}: ${message}`), [
    "warning: EnvoyFilter is refused: it edits Envoy's configuration, which is no contract of this mesh; nothing of it is applied, and everything else goes on",
  ])
})
