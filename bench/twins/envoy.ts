// A real Envoy in each role, under our own control plane: the same resources as our proxies get, so all of Istio's features
// that these have. One worker.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findEnvoy } from '../../test/interop/envoy-binary.ts'
import { startAgent, startEnvoy } from '../../test/interop/real-envoy.ts'
import type { Children } from '../children.ts'
import { envoyLabels } from '../mesh-envoy.ts'

export type EnvoyRole = keyof typeof envoyLabels

export interface EnvoyPlace {
  readonly folder: string
  readonly children: Children
  /** Of ADS. */
  readonly plaintextPort: number
}

const accounts = { gateway: 'gateway', inbound: 'server', outbound: 'client', h2: 'gateway', hop: 'client' } as const
const types = { gateway: 'router', inbound: 'sidecar', outbound: 'sidecar', h2: 'router', hop: 'sidecar' } as const

/** Why the bench goes without it; undefined when there is one. */
export const envoyMissing = (): string | undefined => findEnvoy().missing

/** Its pid. It is ended with the others. */
export async function startEnvoyTwin(role: EnvoyRole, { folder, children, plaintextPort }: EnvoyPlace): Promise<number> {
  const account = accounts[role]
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const agent = await startAgent({ roots: read('roots.pem'), own: { chain: read(`${account}.pem`), key: read(`${account}.key`) } })
  const envoy = startEnvoy({
    envoy: findEnvoy().path!, under: children.prefix('measured'), apiType: 'DELTA_GRPC', port: plaintextPort, agentPort: agent.plaintextAddress!.port,
    node: {
      id: `${types[role]}~10.77.9.9~${role}-envoy.bench~bench.svc.cluster.local`,
      metadata: { LABELS: envoyLabels[role], NAMESPACE: 'bench', SERVICE_ACCOUNT: account },
    },
  })
  children.adopt(envoy)
  children.adopt(agent)
  await envoy.live()
  return envoy.pid
}
