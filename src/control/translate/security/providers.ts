// Who is asked about what CUSTOM policies are for: a provider of MeshConfig, and the cluster that it is reached by (security
// spec 2.7).
import type { AuthorizationPolicy } from '../../snapshot-authorization.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { ExtensionProvider } from '../../specs.ts'
import { outboundCluster } from '../names.ts'
import { isDryRun } from './authorization.ts'

/** Plain data: views carry it as text. */
export interface Asked {
  readonly cluster: string
  readonly http: NonNullable<ExtensionProvider['envoyExtAuthzHttp']>
}

/**
 * Null: there are such policies, and nobody who can be asked: no provider of that name, no service of the provider's, or several
 * providers for one workload. Undefined: there are none.
 */
export function askedFor(policies: readonly AuthorizationPolicy[], { mesh, services }: Snapshot): Asked | null | undefined {
  const names = new Set(policies.filter((one) => one.spec.action === 'CUSTOM' && !isDryRun(one)).map(({ spec }) => spec.provider?.name))
  if (names.size === 0) return undefined
  const [name] = names
  const http = mesh.extensionProviders.find((one) => one.name === name)?.envoyExtAuthzHttp
  // Without the body that it asks for, a provider would decide about something else.
  if (names.size > 1 || http === undefined || http.includeRequestBodyInCheck !== undefined) return null
  const [inNamespace, hostname] = http.service.includes('/') ? http.service.split('/') as [string, string] : [undefined, http.service]
  const found = services.all.find((one) => one.hostname === hostname && (inNamespace === undefined || one.namespace === inNamespace))
  if (found === undefined || !found.ports.some((port) => port.number === http.port)) return null
  return { cluster: outboundCluster(http.port, '', hostname), http }
}
