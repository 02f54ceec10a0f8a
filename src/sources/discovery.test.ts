// Which namespaces the mesh looks at.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from '../kinds/parse.ts'
import { WorldMerger } from './merge.ts'
import { emptyState } from './source.ts'

const namespace = (name: string, labels: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: ${name}, labels: ${labels} }
---
apiVersion: v1
kind: Service
metadata: { name: s, namespace: ${name} }
spec: { clusterIP: 10.0.0.1, ports: [{ port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: r, namespace: ${name} }
spec: { host: s, trafficPolicy: { loadBalancer: { simple: RANDOM } } }
---`

const mesh = (selectors: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "discoverySelectors: ${selectors}" }
`

/** Namespaces of the services, and of the rules, that are left. */
function seen(selectors: string): readonly [readonly string[], readonly string[]] {
  const text = [namespace('a', '{ env: prod }'), namespace('b', '{ env: test, tier: x }'), namespace('c', '{}'), namespace('istio-system', '{}'), mesh(selectors)].join('')
  const { resources, issues } = parseDocuments(text, 'f')
  assert.deepEqual(issues, [])
  const world = new WorldMerger().merge([{ ...emptyState, resources }])
  return [world.services.map((one) => one.namespace).sort(), world.resources.filter((one) => one.kind === 'DestinationRule').map((one) => one.metadata.namespace).sort()]
}

for (const [title, selectors, expected] of [
  ['all, without a selector', '[]', ['a', 'b', 'c', 'istio-system']],
  ['those with a label, and the root namespace', '[{ matchLabels: { env: prod } }]', ['a', 'istio-system']],
  ['those that fit one of several', '[{ matchLabels: { env: prod } }, { matchLabels: { tier: x } }]', ['a', 'b', 'istio-system']],
  ['those that fit all of one', '[{ matchLabels: { env: test }, matchExpressions: [{ key: tier, operator: DoesNotExist }] }]', ['istio-system']],
  ['by name', '[{ matchLabels: { kubernetes.io/metadata.name: c } }]', ['c', 'istio-system']],
  ['In', '[{ matchExpressions: [{ key: env, operator: In, values: [prod, test] }] }]', ['a', 'b', 'istio-system']],
  ['NotIn, also without the label', '[{ matchExpressions: [{ key: env, operator: NotIn, values: [prod] }] }]', ['b', 'c', 'istio-system']],
  ['Exists', '[{ matchExpressions: [{ key: tier, operator: Exists }] }]', ['b', 'istio-system']],
] as const) {
  test(`namespaces are looked at: ${title}`, () => {
    const [services, rules] = seen(selectors)
    assert.deepEqual(services, expected)
    assert.deepEqual(rules, expected)
  })
}
