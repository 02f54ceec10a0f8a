// Who is asked about what CUSTOM policies are for: a provider of MeshConfig, and the cluster that it is reached by (security
// spec 2.7).
import type { AuthorizationPolicy } from '../../snapshot/authorization.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { AskedProvider, ExtensionProvider } from '../../specs.ts'
import { outboundCluster } from '../names.ts'
import { isDryRun } from './authorization.ts'

/** Plain data: views carry it as text. */
export interface Asked {
  readonly cluster: string
  /** One of the two. */
  readonly http?: NonNullable<ExtensionProvider['envoyExtAuthzHttp']>
  readonly grpc?: AskedProvider
}

/** Null: there are such policies, and nobody who can be asked; `askProblem` says why. Undefined: there are none. */
export function askedFor(policies: readonly AuthorizationPolicy[], snapshot: Snapshot): Asked | null | undefined {
  const names = providersOf(policies)
  const [name] = names
  if (name === undefined) return undefined
  return names.length > 1 || askProblem(name, snapshot) !== undefined ? null : asked(name, snapshot) ?? null
}

/** That policies of one workload name, each once. Dry runs ask nobody. */
export const providersOf = (policies: readonly AuthorizationPolicy[]): readonly string[] =>
  [...new Set(policies.filter((one) => one.spec.action === 'CUSTOM' && !isDryRun(one)).map(({ spec }) => spec.provider?.name ?? ''))]

/** Why a provider cannot be asked; undefined where it can. */
export function askProblem(name: string, snapshot: Snapshot): string | undefined {
  const provider = snapshot.mesh.extensionProviders.find((one) => one.name === name)
  if (provider === undefined) return `MeshConfig has no extension provider ${JSON.stringify(name)}`
  const decider = provider.envoyExtAuthzHttp ?? provider.envoyExtAuthzGrpc
  if (decider === undefined) return `extension provider ${JSON.stringify(name)} is neither envoyExtAuthzHttp nor envoyExtAuthzGrpc: it decides nothing`
  return asked(name, snapshot) === undefined ? `no service ${decider.service} with port ${decider.port} is known, which extension provider ${JSON.stringify(name)} is` : undefined
}

function asked(name: string, { mesh, services }: Snapshot): Asked | undefined {
  const { envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc } = mesh.extensionProviders.find((one) => one.name === name) ?? {}
  const decider = http ?? grpc
  if (decider === undefined) return undefined
  const [namespace, hostname] = decider.service.includes('/') ? decider.service.split('/') as [string, string] : [undefined, decider.service]
  const found = services.all.find((one) => one.hostname === hostname && (namespace === undefined || one.namespace === namespace))
  if (found?.ports.some((port) => port.number === decider.port) !== true) return undefined
  return { cluster: outboundCluster(decider.port, '', hostname), ...(http === undefined ? { grpc: decider } : { http }) }
}
