// What Istio's ProxyConfig says of how a Process and its sidecar begin and end: for the mesh (MeshConfig.defaultConfig), and
// for one Process by its annotation `proxy.istio.io/config`.
import type { MeshConfigSpec } from '../../kinds/core/mesh-config.ts'
import { annotatedProxyConfig } from '../../kinds/core/proxy-config.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface Life {
  /** The program starts once its sidecar serves. */
  readonly holds: boolean
  /** How long who is being served may take once it ends. */
  readonly drainMs: number
}

/** Without a word, a program is held: here nothing else would be started in the meantime. */
export function lifeOf({ annotations, graceMs }: Pick<WantedProcess, 'annotations' | 'graceMs'>, mesh: MeshConfigSpec | undefined): Life {
  const config = { ...mesh?.defaultConfig, ...annotatedProxyConfig(annotations) }
  return { holds: config.holdApplicationUntilProxyStarts ?? true, drainMs: config.terminationDrainDuration ?? graceMs }
}
