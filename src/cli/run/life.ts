// What Istio's ProxyConfig says of how a Process and its sidecar begin, end and are told of each other's traffic: for the mesh (MeshConfig.defaultConfig), and
// for one Process by its annotation `proxy.istio.io/config`.
import type { InterceptionMode } from '../../agent/capture/capture-settings.ts'
import type { MeshConfigSpec } from '../../kinds/core/mesh-config.ts'
import { annotatedProxyConfig } from '../../kinds/core/proxy-config.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface Life {
  /** The program starts once its sidecar serves. */
  readonly holds: boolean
  /** How long who is being served may take once it ends. */
  readonly drainMs: number
  /** How long connections of a listener that is replaced go on. Undefined: as long as is usual. */
  readonly replacedMs: number | undefined
  /** In a network of its own. Undefined: as is usual. */
  readonly interceptionMode: InterceptionMode | undefined
}

/** Without a word, a program is held: here nothing else would be started in the meantime. */
export function lifeOf({ annotations, graceMs }: Pick<WantedProcess, 'annotations' | 'graceMs'>, mesh: MeshConfigSpec | undefined): Life {
  const config = { ...mesh?.defaultConfig, ...annotatedProxyConfig(annotations) }
  return {
    holds: config.holdApplicationUntilProxyStarts ?? true, drainMs: config.terminationDrainDuration ?? graceMs,
    replacedMs: config.drainDuration, interceptionMode: config.interceptionMode,
  }
}
