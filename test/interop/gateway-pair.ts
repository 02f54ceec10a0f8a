// Two gateways of one mesh of processes: ours, and a real Envoy where there is one. What they say of a client, or how they
// speak to a server, is compared.
import type { TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { freePort } from '../support/hosts.ts'
import { ProcessMesh } from '../support/process-mesh.ts'
import { findEnvoy } from './envoy-binary.ts'
import { startAgent, startEnvoy } from './real-envoy.ts'

const { path: envoy, missing } = findEnvoy()

export interface GatewayPair extends AsyncDisposable {
  /** Where each listens for port 80 of the Gateways `ours` and `theirs`. */
  readonly gateways: readonly (readonly [whose: 'ours' | 'theirs', port: number])[]
}

/** Servers of protocol HTTP for all hosts; VirtualServices bind to both gateways. */
const gateways = (envoyPort: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ours, namespace: default }
spec: { selector: { app: ingress }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: theirs, namespace: default }
spec: { selector: { app: envoy }, servers: [{ port: { number: ${envoyPort}, name: http, protocol: HTTP }, bind: 127.0.0.1, hosts: ['*'] }] }
---`

/** Envoy refuses fields that it does not know, and deprecated ones. */
export async function startGateways(documents: string, context: TestContext): Promise<GatewayPair> {
  const authority = createAuthority('mesh root')
  const mesh = await ProcessMesh.create()
  try {
    mesh.takeRoot(authority)
    const envoyPort = await freePort()
    mesh.write('mesh.yaml', gateways(envoyPort) + documents)
    await mesh.startControl()
    const { url } = await mesh.startGateway()
    const found: GatewayPair['gateways'][number][] = [['ours', Number(new URL(url).port)]]
    if (envoy === undefined) context.diagnostic(`without Envoy: ${String(missing)}`)
    else {
      const agent = mesh.use(await startAgent({ roots: authority.roots, own: authority.issue('URI:spiffe://cluster.local/ns/default/sa/envoy') }))
      const node = { id: `router~${mesh.net}.5~envoy.default~default.svc.cluster.local`, metadata: { NAME: 'envoy', NAMESPACE: 'default', SERVICE_ACCOUNT: 'envoy', LABELS: { app: 'envoy' } } }
      const port = Number(mesh.addresses.plaintext.split(':')[1])
      await mesh.use(startEnvoy({ envoy, node, apiType: 'DELTA_GRPC', port, agentPort: agent.plaintextAddress!.port, strict: true })).live()
      found.push(['theirs', envoyPort])
    }
    return { gateways: found, [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose]() }
  } catch (error) {
    await mesh[Symbol.asyncDispose]()
    throw error
  }
}
