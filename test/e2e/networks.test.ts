// Two networks: a client in one reaches a service in the other through the gateway that stands before it, in mutual TLS from
// end to end, and not when that gateway is away.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../support/hosts.ts'
import { request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { until } from '../support/until.ts'

const networks = (port: number): string => `
apiVersion: v1
kind: Service
metadata: { name: eastwest, namespace: default, labels: { topology.istio.io/network: far, networking.istio.io/gatewayPort: "${port}" } }
spec: { clusterIP: 10.96.0.99, externalIPs: [127.0.0.1], selector: { app: ingress }, ports: [{ name: tls, port: 15443 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: eastwest, namespace: default }
spec: { selector: { app: ingress }, servers: [{ port: { number: 15443, name: tls, protocol: TLS }, hosts: ["*.cluster.local"], tls: { mode: AUTO_PASSTHROUGH } }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec: { host: reviews, trafficPolicy: { connectionPool: { tcp: { connectTimeout: 2s } } } }
`

test('a service in another network is reached through its gateway', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.edit('mesh.yaml', (text) => text.replace('serviceAccount: reviews,', 'serviceAccount: reviews, network: far,'))
  const port = await freePort()
  mesh.write('networks.yaml', networks(port))
  await mesh.startControl()
  await (await mesh.startReviews(app.at, { flags: ['--network', 'far'] })).saying(/info +serves/)
  const gateway = await mesh.startGateway({ flags: ['--network', 'far', '--gateway-port', `15443=127.0.0.1:${port}`] })
  await gateway.proxy.saying(/info +serves/)
  const { url } = await mesh.startProductpage({ flags: ['--network', 'near'] })
  const answer = await request(url)
  assert.deepEqual([answer.status, answer.body], [200, 'spiffe://cluster.local/ns/default/sa/productpage\n'])
  await gateway.proxy[Symbol.asyncDispose]()
  await until(async () => (await request(url).catch(() => ({ status: 0 }))).status === 503, 'without the gateway there is no way')
})
