// GET /config_dump: everything that the control plane sent and the proxy accepted, in Envoy's sections and JSON. Private
// keys are never shown.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { RE2JS } from 're2js'
import { anyToJson } from '../../proto/registry.ts'
import type { AcceptedByType, AcceptedResource, AcceptedResources, RejectedResource } from '../xds/accepted.ts'
import { json } from './server.ts'
import type { AdminPath } from './server.ts'

export interface ConfigDumpSource {
  readonly accepted: AcceptedByType
  /** Node, settings: what the proxy started with. */
  bootstrap(): JsonObject
  /** The proxy's own secrets, by name, with what may be shown of them. */
  ownSecrets(): readonly { readonly name: string; readonly certificateChain: string; readonly trustedCa: string }[]
}

export function configDumpPath(source: ConfigDumpSource): AdminPath {
  return {
    method: 'GET',
    path: '/config_dump',
    sentence: 'the accepted configuration (?include_eds, ?resource=, ?name_regex=)',
    answer: ({ query }) => json({ configs: narrowed(sections(source, query.has('include_eds')), query.get('resource'), query.get('name_regex')) }),
  }
}

function sections(source: ConfigDumpSource, withEndpoints: boolean): JsonObject[] {
  const { clusters, endpoints, listeners, routes } = source.accepted
  const eds = section('EndpointsConfigDump', { dynamic_endpoint_configs: all(endpoints, (one) => state(one, 'endpoint_config')) })
  return [
    section('BootstrapConfigDump', { bootstrap: source.bootstrap() }),
    section('ClustersConfigDump', { version_info: clusters.version, dynamic_active_clusters: all(clusters, (one) => state(one, 'cluster')) }),
    ...(withEndpoints ? [eds] : []),
    section('ListenersConfigDump', { version_info: listeners.version, dynamic_listeners: all(listeners, listenerState) }),
    section('RoutesConfigDump', { dynamic_route_configs: all(routes, (one) => state(one, 'route_config')) }),
    section('SecretsConfigDump', { dynamic_active_secrets: secretStates(source) }),
  ]
}

function section(name: string, fields: JsonObject): JsonObject {
  return { '@type': `type.googleapis.com/envoy.admin.v3.${name}`, ...fields }
}

interface Shown {
  readonly name: string
  readonly accepted: AcceptedResource | undefined
  readonly rejected: RejectedResource | undefined
}

function all({ accepted, rejected }: AcceptedResources, show: (one: Shown) => JsonObject): JsonObject[] {
  const names = [...new Set([...accepted.keys(), ...rejected.keys()])].sort()
  return names.map((name) => show({ name, accepted: accepted.get(name), rejected: rejected.get(name) }))
}

function state({ name, accepted, rejected }: Shown, field: string): JsonObject {
  const error = rejected === undefined ? {} : { error_state: errorState(rejected) }
  if (accepted === undefined) return { [field]: { name }, ...error }
  return { version_info: accepted.version, [field]: anyToJson(accepted.any), last_updated: timestamp(accepted.lastUpdated), ...error }
}

function listenerState({ name, accepted, rejected }: Shown): JsonObject {
  return {
    name,
    ...(accepted === undefined ? {} : { active_state: state({ name, accepted, rejected: undefined }, 'listener') }),
    ...(rejected === undefined ? {} : { error_state: errorState(rejected) }),
  }
}

function errorState({ details, lastAttempt, version }: RejectedResource): JsonObject {
  return { details, last_update_attempt: timestamp(lastAttempt), version_info: version }
}

const timestamp = (ms: number): string => new Date(ms).toISOString()

const redacted = { inline_bytes: Buffer.from('[redacted]').toString('base64') }

function secretStates(source: ConfigDumpSource): JsonObject[] {
  const own = source.ownSecrets().map(({ name, certificateChain, trustedCa }) => ({ name, secret: ownSecret(name, certificateChain, trustedCa) }))
  const sent = [...source.accepted.secrets.accepted.values()].map(({ name, version, any, lastUpdated }) => ({
    name, version_info: version, last_updated: timestamp(lastUpdated), secret: redactedSecret(any),
  }))
  return [...own, ...sent]
}

function ownSecret(name: string, certificateChain: string, trustedCa: string): JsonObject {
  const pem = (text: string) => ({ inline_bytes: Buffer.from(text).toString('base64') })
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
  if (trustedCa !== '') return { '@type': type, name, validation_context: { trusted_ca: pem(trustedCa) } }
  return { '@type': type, name, tls_certificate: { certificate_chain: pem(certificateChain), private_key: redacted } }
}

/** Every field whose name says that it holds a key is replaced, wherever it stands. */
function redactedSecret(any: Any): JsonValue {
  return redact(anyToJson(any))
}

const secretFields = new Set(['private_key', 'password', 'pkcs12', 'keys', 'generic_secret', 'value'])

function redact(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(redact)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, secretFields.has(name) ? redacted : redact(inner)]))
}

function narrowed(configs: JsonObject[], resource: string | null, nameRegex: string | null): JsonObject[] {
  const named = nameRegex === null ? configs : configs.map((config) => byName(config, nameRegex))
  if (resource === null) return named
  return named.flatMap((config) => {
    const list = config[resource]
    return Array.isArray(list) ? (list as JsonObject[]) : []
  })
}

/** RE2, as in Envoy: an expression from outside must not take forever. */
function byName(config: JsonObject, expression: string): JsonObject {
  const wanted = RE2JS.compile(expression)
  const entries = Object.entries(config).map(([field, value]): [string, JsonValue] => [
    field,
    Array.isArray(value) ? value.filter((one) => wanted.matcher(nameOf(one)).matches()) : value,
  ])
  return Object.fromEntries(entries)
}

/** The name of an entry, or of the resource inside it. */
function nameOf(entry: JsonValue): string {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return ''
  const name = entry['name'] ?? entry['cluster_name']
  if (typeof name === 'string') return name
  return Object.values(entry).map(nameOf).find((inner) => inner !== '') ?? ''
}
