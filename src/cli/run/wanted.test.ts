import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from '../../kinds/parse.ts'
import { impliedGateways } from './implied-gateways.ts'
import { wantedProcesses } from './wanted.ts'

const wanted = (text: string) => {
  const { resources, issues } = parseDocuments(text, '/mesh/all.yaml')
  assert.deepEqual(issues.filter(({ severity }) => severity === 'error'), [])
  return wantedProcesses([...resources, ...impliedGateways(resources)])
}

const processNamed = (name: string, spec: string): string => `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: ${spec}
---`

const gatewayNamed = (name: string, selector: string): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: shop }
spec: { selector: ${selector}, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---`

test('a program runs in the folder of its file, and is asked at its first port whether it is ready', () => {
  const [one] = wanted(processNamed('web', '{ command: [node, web.js], ports: [{ name: http, containerPort: 8080 }] }'))
  assert.equal(one!.workingDirectory, '/mesh')
  assert.equal(one!.key, 'shop/web')
  assert.deepEqual([one!.probe?.path, one!.probe?.containerPort, one!.graceMs], [undefined, 8080, 10_000])
})

test('a readiness probe is taken as it is written, its times as milliseconds', () => {
  const [one] = wanted(processNamed('web', '{ command: [a], workingDir: sub, ports: [{ containerPort: 1 }], readiness: { httpGet: { path: /up, port: 2 }, periodSeconds: 0.5, failureThreshold: 7 } }'))
  assert.equal(one!.workingDirectory, '/mesh/sub')
  assert.deepEqual([one!.probe?.path, one!.probe?.containerPort, one!.probe?.periodMs, one!.probe?.failureThreshold], ['/up', 2, 500, 7])
})

test("a Gateway that selects istio: ingressgateway gets Istio's own gateway, by name and identity", () => {
  const [one, ...more] = wanted(gatewayNamed('a', '{ istio: ingressgateway }') + gatewayNamed('b', '{ istio: ingressgateway }'))
  assert.deepEqual(more, [])
  assert.deepEqual([one!.key, one!.serviceAccount, one!.proxyType], ['istio-system/istio-ingressgateway', 'istio-ingressgateway-service-account', 'router'])
  assert.deepEqual(one!.labels, { app: 'istio-ingressgateway', istio: 'ingressgateway' })
})

test('a Gateway that a router Process answers to gets no other', () => {
  const all = wanted(`${processNamed('edge', '{ proxyType: router }')}${gatewayNamed('a', '{ app: edge }')}${gatewayNamed('b', '{ istio: egressgateway }')}`)
  assert.deepEqual(all.map(({ key }) => key), ['shop/edge', 'istio-system/istio-egressgateway'])
})

test('a gateway lives in the namespace of the Service that selects it', () => {
  const service = (selector: string) => `
apiVersion: v1
kind: Service
metadata: { name: out, namespace: egress }
spec: { selector: ${selector}, ports: [{ name: https, port: 443 }] }
---`
  const keys = (text: string) => wanted(text + gatewayNamed('a', '{ istio: egressgateway }')).map(({ key }) => key)
  assert.deepEqual(keys(service('{ istio: egressgateway }')), ['egress/istio-egressgateway'])
  assert.deepEqual(keys(service('{ istio: other }')), ['istio-system/istio-egressgateway'])
})

test('gateways for the way out come last, so that they take no port from those for the way in', () => {
  const all = wanted(`${gatewayNamed('a', '{ istio: egressgateway }')}${gatewayNamed('b', '{ istio: ingressgateway }')}`)
  assert.deepEqual(all.map(({ name }) => name), ['istio-ingressgateway', 'istio-egressgateway'])
})
