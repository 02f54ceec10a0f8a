// The mesh of bench/mesh once more for a real Envoy, which takes no dial map and no taps: its listeners bind ports of this
// machine (a gateway's server, Sidecars with captureMode NONE), and its endpoints are where they really are. The routes,
// policies and header edits are the same ones.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface EnvoyPorts {
  readonly gateway: number
  readonly inbound: number
  readonly outbound: number
  readonly h2: number
  /** The client's half of a hop to `inbound`. */
  readonly hop: number
}

/** Behind it, and behind its gateway of HTTP/2. */
export interface EnvoyUpstreams {
  readonly plain: number
  readonly tls: number
  readonly h2: number
}

/** Labels by which Gateway and Sidecars select the Envoy of each role. */
export const envoyLabels = { gateway: { istio: 'envoygateway' }, inbound: { app: 'server-envoy' }, outbound: { app: 'client-envoy' }, h2: { istio: 'envoyh2gateway' }, hop: { app: 'hop-envoy' } } as const

const plainHost = 'plain.envoy.test'
export const serverHost = 'server.envoy.test'
/** Another name of the server, behind its sidecar. */
export const hopHost = 'hop.envoy.test'

/** Writes a file that the control plane reads beside bench/mesh. */
export function writeEnvoyMesh(file: string, ports: EnvoyPorts, upstreams: EnvoyUpstreams): void {
  const routes = readFileSync(join(import.meta.dirname, 'mesh', 'routes.yaml'), 'utf8').split(/^---$/m)
  const named = (name: string): string => routes.find((text) => text.includes('kind: VirtualService') && text.includes(`name: ${name},`))!
  const gatewayRoutes = named('plain').replace('name: plain,', 'name: plain-envoy,').replace('gateways: [bench]', 'gateways: [envoy]')
    .replaceAll('host: plain,', `host: ${plainHost},`)
  const sidecarRoutesOf = (name: string, host: string, port: number): string => named('server').replace('name: server,', `name: ${name},`).replace('hosts: [server]', `hosts: [${host}]`)
    .replaceAll(/host: server, port: \{ number: \d+ \}/g, `host: ${host}, port: { number: ${port} }`)
  const sidecarRoutes = [sidecarRoutesOf('server-envoy', serverHost, ports.outbound), sidecarRoutesOf('hop-envoy', hopHost, ports.hop)]
  const h2Routes = named('multiplexed').replace('name: multiplexed,', 'name: multiplexed-envoy,').replace('gateways: [multiplexed]', 'gateways: [multiplexed-envoy]')
    .replaceAll('host: plain,', `host: ${plainHost},`)
  writeFileSync(file, [services(ports, upstreams), gatewayRoutes, ...sidecarRoutes, h2Routes].join('---\n'))
}

const services = (ports: EnvoyPorts, upstreams: EnvoyUpstreams): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: envoy, namespace: bench }
spec:
  selector: { istio: ${envoyLabels.gateway.istio} }
  servers:
  - port: { number: ${ports.gateway}, name: http, protocol: HTTP }
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: multiplexed-envoy, namespace: bench }
spec:
  selector: { istio: ${envoyLabels.h2.istio} }
  servers:
  - port: { number: ${ports.h2}, name: http2, protocol: HTTP2 }
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: plain-envoy, namespace: bench }
spec:
  hosts: [${plainHost}]
  ports: [{ number: 8080, name: http, protocol: HTTP }, { number: 8090, name: http2, protocol: HTTP2 }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${upstreams.plain}, http2: ${upstreams.h2} } }]
---
${client('client-envoy', envoyLabels.outbound.app, serverHost, ports.outbound, upstreams.tls)}---
${client('hop-envoy', envoyLabels.hop.app, hopHost, ports.hop, ports.inbound)}---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: server-envoy, namespace: bench }
spec:
  workloadSelector: { labels: { app: ${envoyLabels.inbound.app} } }
  ingress: [{ port: { number: ${ports.inbound}, name: http, protocol: HTTP }, bind: 127.0.0.1, captureMode: NONE, defaultEndpoint: "127.0.0.1:${upstreams.plain}" }]
`

/** A client's sidecar, and the server that it asks: `host` on `port` is `to` on this machine, behind mutual TLS. */
function client(name: string, app: string, host: string, port: number, to: number): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: bench }
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  ports: [{ number: ${port}, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints:
  - { address: 127.0.0.1, ports: { http: ${to} }, serviceAccount: server, labels: { security.istio.io/tlsMode: istio } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name}, namespace: bench }
spec:
  workloadSelector: { labels: { app: ${app} } }
  egress: [{ port: { number: ${port}, name: http, protocol: HTTP }, bind: 127.0.0.1, captureMode: NONE, hosts: [./${host}] }]
`
}
