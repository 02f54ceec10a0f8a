// The egress gateway pattern of Istio's documentation, in nothing but its YAML: no gateway is written down as a workload. A workload's plain request goes to the gateway in the mesh's mutual TLS
// under the name of the external host, and from there in TLS that the gateway originates. All servers are real.
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:https'
import { test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

const authority = createAuthority('the outside')
const certificate = authority.issue('DNS:ext.test')

/** `verify`: the bundle by which the gateway checks the external host. */
const pattern = (port: number, verify: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ext }
spec:
  hosts: [ext.test]
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: https-to, protocol: HTTPS }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: 1, https-to: ${port} } }]
---
apiVersion: v1
kind: Service
metadata: { name: istio-egressgateway, namespace: istio-system }
spec: { selector: { app: istio-egressgateway, istio: egressgateway }, ports: [{ name: http2, port: 80, targetPort: 8080 }, { name: https, port: 443, targetPort: 8443 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: egress }
spec:
  selector: { istio: egressgateway }
  servers: [{ port: { number: 80, name: https-port-for-tls-origination, protocol: HTTPS }, hosts: [ext.test], tls: { mode: ISTIO_MUTUAL } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: to-egress }
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets:
    - name: ext
      trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: ISTIO_MUTUAL, sni: ext.test } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ext }
spec:
  hosts: [ext.test]
  gateways: [egress, mesh]
  http:
    - match: [{ gateways: [mesh], port: 80 }]
      route: [{ destination: { host: istio-egressgateway.istio-system.svc.cluster.local, subset: ext, port: { number: 80 } } }]
    - match: [{ gateways: [egress] }]
      route: [{ destination: { host: ext.test, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ext }
spec: { host: ext.test, trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: SIMPLE, caCertificates: ${verify}, sni: ext.test } }] } }
---`

test('a request goes by the egress gateway in mutual TLS, and out of it in TLS of its own', { timeout: 60_000 }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('ca.pem', authority.roots)
  await folder.write('wrong.pem', createAuthority('others').roots)
  const seen: string[] = []
  const outside = createServer({ cert: certificate.chain, key: certificate.key }, (incoming, response) => {
    const socket = incoming.socket as typeof incoming.socket & { servername?: string }
    seen.push(`${socket.servername ?? ''} ${incoming.headers.host ?? ''} ${incoming.url}`)
    response.end('from outside')
  })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  await using _ = { [Symbol.asyncDispose]: async () => void outside.close() }
  const { port } = outside.address() as AddressInfo
  await using mesh = await startLocalMesh({
    'a.yaml': echo('a') + service('a') + gatewayTo('a'),
    'egress.yaml': pattern(port, folder.at('ca.pem')),
  }, { watch: true })

  const asked = (path: string) => mesh.json(`/proxied?url=${encodeURIComponent(`http://ext.test${path}`)}`)
  assert.deepEqual(await asked('/x'), { status: 200, body: 'from outside' })
  assert.deepEqual(seen, ['ext.test ext.test /x'])
  await mesh.until('the line of the gateway', () => mesh.accessLog.some((line) => line.includes('outbound|443||ext.test')))
  const line = mesh.accessLog.find((one) => one.includes('outbound|443||ext.test'))!
  assert.match(line, / ext\.test default|ext\.test/)
  assert.ok(mesh.accessLog.some((one) => one.includes('outbound|80|ext|istio-egressgateway.istio-system.svc.cluster.local')), 'the sidecar sent it to the gateway')

  // A host that is not who it should be gets nothing, and the client 503.
  await mesh.edit(() => mesh.folder.write('mesh/egress.yaml', pattern(port, folder.at('wrong.pem'))))
  await mesh.until('the refusal', async () => (await asked('/y'))['status'] === 503)
})
