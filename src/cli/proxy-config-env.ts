// PROXY_CONFIG, as Istio's injector gives it to an agent: a ProxyConfig of which the settings of the proxy's life are read, below
// the settings' own names.
import { dnsAliases } from './proxy-dns.ts'
import { UsageError } from './usage-error.ts'
import { yaml } from './yaml.ts'

/** Fields and the variables that they stand for. */
const fields = {
  drainDuration: 'TRYSAIL_PROXY_DRAIN_DURATION',
  terminationDrainDuration: 'TRYSAIL_PROXY_TERMINATION_DRAIN_DURATION',
  holdApplicationUntilProxyStarts: 'TRYSAIL_AGENT_HOLD_APPLICATION_UNTIL_PROXY_STARTS',
  discoveryAddress: 'TRYSAIL_PROXY_DISCOVERY_ADDRESS',
  concurrency: 'TRYSAIL_PROXY_CONCURRENCY',
} as const

/** Variables of `proxyMetadata`, which is environment, too. */
const metadata = { ISTIO_META_DNS_CAPTURE: 'TRYSAIL_PROXY_DNS_CAPTURE', ...named(dnsAliases) } as const

/** Istio's names first. */
function named(aliases: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(aliases).map(([variable, alias]) => [alias, variable]))
}

/** Throws `UsageError` for what is no mapping. */
export function proxyConfigVariables(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined || text.trim() === '') return {}
  const document = yaml().parseDocument(text)
  const value: unknown = document.errors.length > 0 ? undefined : document.toJS()
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError(['PROXY_CONFIG: must be a ProxyConfig in JSON or YAML'])
  return { ...taken(value, fields), ...taken(Reflect.get(value, 'proxyMetadata'), metadata) }
}

function taken(from: unknown, names: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof from !== 'object' || from === null) return {}
  return Object.fromEntries(Object.entries(names).flatMap(([name, variable]) => {
    const given: unknown = Reflect.get(from, name)
    return typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean' ? [[variable, String(given)]] : []
  }))
}
