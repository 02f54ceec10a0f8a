// How Istio says of a proxy's start what is not in its own settings: a MeshConfig's defaultConfig in a file, as machines outside
// of clusters have it, and PROXY_CONFIG, as the injector writes it for a Pod with the Pod's annotation in it. What of them has a
// meaning here stands below the settings' own names, as variables.
import { readFileSync } from 'node:fs'
import { describe } from '../../lib/errors.ts'
import { ownNames } from './istio-names.ts'
import { UsageError } from '../usage-error.ts'
import { yaml } from '../yaml.ts'

/** Fields of a ProxyConfig and the variables that they stand for. */
const fields = {
  drainDuration: 'TRYSAIL_PROXY_DRAIN_DURATION',
  terminationDrainDuration: 'TRYSAIL_PROXY_TERMINATION_DRAIN_DURATION',
  holdApplicationUntilProxyStarts: 'TRYSAIL_AGENT_HOLD_APPLICATION_UNTIL_PROXY_STARTS',
  discoveryAddress: 'TRYSAIL_PROXY_DISCOVERY_ADDRESS',
  concurrency: 'TRYSAIL_PROXY_CONCURRENCY',
  statusPort: 'TRYSAIL_PROXY_STATUS_PORT',
  proxyAdminPort: 'TRYSAIL_PROXY_ADMIN_PORT',
  meshId: 'TRYSAIL_PROXY_MESH_ID',
  readinessProbe: 'TRYSAIL_PROXY_READINESS_PROBE',
} as const

type Variables = Readonly<Record<string, string>>

export interface ProxyStart {
  /** Path of a MeshConfig; empty for none. */
  readonly meshConfig: string
  /** A ProxyConfig, which wins. */
  readonly proxyConfig: string | undefined
}

/** Throws `UsageError` for what cannot be read, or is no mapping. */
export function proxyConfigVariables({ meshConfig, proxyConfig = '' }: ProxyStart): Variables {
  const mesh = meshConfig === '' ? {} : mappingOf(contentOf(meshConfig), `--mesh-config ${meshConfig}: must be a MeshConfig in JSON or YAML`)
  return { ...variablesOf(Reflect.get(mesh, 'defaultConfig')), ...variablesOf(mappingOf(proxyConfig, 'PROXY_CONFIG: must be a ProxyConfig in JSON or YAML')) }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError([`--mesh-config ${path} cannot be read: ${describe(error)}`])
  }
}

function mappingOf(text: string, otherwise: string): object {
  if (text.trim() === '') return {}
  const document = yaml().parseDocument(text)
  const value: unknown = document.errors.length > 0 ? undefined : document.toJS()
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError([otherwise])
  return value
}

/** What `proxyMetadata` says is environment too; a field of its own wins. */
function variablesOf(config: unknown): Variables {
  if (typeof config !== 'object' || config === null) return {}
  const { interceptionMode: mode, proxyMetadata, ...rest } = config as Record<string, unknown>
  const metadata = ownNames({ ...stringsOf(proxyMetadata), ...(typeof mode === 'string' && { ISTIO_META_INTERCEPTION_MODE: mode }) })
  return { ...metadata, ...Object.fromEntries(Object.entries(stringsOf(rest)).flatMap(([name, value]) => (isField(name) ? [[fields[name], value]] : []))) }
}

const isField = (name: string): name is keyof typeof fields => Object.hasOwn(fields, name)

/** An object is JSON. */
function stringsOf(from: unknown): Variables {
  if (typeof from !== 'object' || from === null) return {}
  return Object.fromEntries(Object.entries(from).flatMap(([name, value]) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [[name, String(value)]]
    return typeof value === 'object' && value !== null ? [[name, JSON.stringify(value)]] : []
  }))
}
