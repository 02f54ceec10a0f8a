// Istio's ProxyConfig as MeshConfig.defaultConfig and the annotation `proxy.istio.io/config` hold it (security spec 6.4):
// what of it says how traffic is treated, and what only says how Istio's own proxies are started.
import { z } from 'zod'
import { formatPath } from '../../model/resource.ts'
import { readDocuments } from '../document.ts'
import type { Finding, Frozen, NotServed } from '../kind.ts'
import { duration } from '../fields/duration.ts'
import { compileNotServed } from '../not-served.ts'
import { withoutNulls } from '../nulls.ts'
import { shape } from '../shape.ts'

const gatewayTopology = z.strictObject({
  numTrustedProxies: z.int().min(0).max(4_294_967_295).optional(),
  forwardClientCertDetails: z
    .enum(['UNDEFINED', 'SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY'])
    .optional(),
  proxyProtocol: z.strictObject({}).optional(),
})

/** How Istio's own proxies are started; ours are started by their own settings. */
const ofIstiosProxies = [
  'configPath', 'binaryPath', 'serviceCluster', 'statNameLength', 'controlPlaneAuthPolicy',
  'image', 'proxyBootstrapTemplatePath', 'availabilityZone', 'customConfigFile', 'parentShutdownDuration',
] as const

/** What a proxy has to know before it can ask the control plane: whoever starts it says so. */
const ofItsStart = ['discoveryAddress', 'proxyAdminPort', 'statusPort', 'concurrency', 'readinessProbe', 'meshId'] as const

const notYet = [
  'tracing', 'tracingServiceName', 'zipkinAddress', 'proxyStatsMatcher', 'extraStatTags',
  'runtimeValues', 'caCertificatesPem', 'privateKeyProvider', 'proxyHeaders', 'connectionSettings',
  'envoyAccessLogService', 'envoyMetricsService', 'envoyMetricsServiceAddress', 'statsdUdpAddress', 'fileFlushInterval', 'fileFlushMinSizeKb',
  'statsCompression', 'sds', 'discoveryRefreshDelay',
] as const

const anything = z.unknown().optional()
const all = <Name extends string>(names: readonly Name[]): Record<Name, typeof anything> =>
  Object.fromEntries(names.map((name) => [name, anything])) as Record<Name, typeof anything>

export const proxyConfigSchema = z.strictObject({
  gatewayTopology: gatewayTopology.optional(),
  proxyMetadata: z.record(z.string(), z.string()).optional(),
  holdApplicationUntilProxyStarts: z.boolean().optional(),
  terminationDrainDuration: duration.optional(),
  drainDuration: duration.optional(),
  interceptionMode: z.enum(['REDIRECT', 'TPROXY', 'NONE']).optional(),
  ...all(ofIstiosProxies),
  ...all(ofItsStart),
  ...all(notYet),
})

export type ProxyConfig = z.infer<typeof proxyConfigSchema>
export type ProxyConfigSpec = Frozen<ProxyConfig>

/** Of `proxyMetadata`: whether HTTP/1.0 is taken. */
export const http10Metadata = 'ISTIO_META_HTTP10'

/** Of `proxyMetadata`: how long a connection of an HTTP client may be without requests. */
export const idleTimeoutMetadata = 'ISTIO_META_IDLE_TIMEOUT'

/** Of `proxyMetadata`: whether the workload's look-ups are answered by its proxy, with addresses that were allocated. Proxies are started so. */
const dnsMetadata = ['ISTIO_META_DNS_CAPTURE', 'ISTIO_META_DNS_AUTO_ALLOCATE'] as const

/** Also of how a proxy is started: it reads them of PROXY_CONFIG, --mesh-config and its environment. */
const startMetadata = [
  'ISTIO_META_INTERCEPTION_MODE', 'ISTIO_META_NETWORK', 'ISTIO_META_CLUSTER_ID', 'ISTIO_META_MESH_ID', 'ISTIO_META_WORKLOAD_NAME',
  'ISTIO_META_AUTO_REGISTER_GROUP', 'EXIT_ON_ZERO_ACTIVE_CONNECTIONS', 'MINIMUM_DRAIN_DURATION', 'ENVOY_STATUS_PORT',
] as const

const readMetadata = [http10Metadata, idleTimeoutMetadata, ...dnsMetadata]
const otherThan = (names: readonly string[]): RegExp => new RegExp(`^(?!(${names.join('|')})$)`)

/** The others say how Istio's own agent and its Envoy are started. */
export const otherVariables = {
  keys: { fit: otherThan(readMetadata), called: `a variable other than ${readMetadata.slice(0, -1).join(', ')} and ${readMetadata.at(-1)}` },
  message: "is ignored: it sets up Istio's own agent, and our proxies are set up by `trysail proxy`",
}

/** What a proxy reads at its start may come with it; docs/lifecycle.md has all of them. */
const unreadVariables = { fit: otherThan([...readMetadata, ...startMetadata]), called: 'a variable that no proxy here reads' }

/** `at` is the path of one. */
export function proxyConfigNotServed(at: string): readonly NotServed[] {
  const path = (name: string): string => (at === '' ? name : `${at}.${name}`)
  return [
    { path: `${path('proxyMetadata')}{}`, keys: unreadVariables },
    ...ofIstiosProxies.map((name) => ({ path: path(name), quiet: "not read: how Istio's own proxies are started" })),
    ...ofItsStart.map((name) => ({ path: path(name), quiet: 'read by `trysail proxy` and `agent run`, of PROXY_CONFIG and --mesh-config; `trysail run` sets its own' })),
    ...notYet.map((name) => ({ path: path(name) })),
  ]
}

const proxyConfigAnnotation = 'proxy.istio.io/config'

const notServed = compileNotServed(proxyConfigNotServed(''))

interface Read {
  readonly value: ProxyConfigSpec | undefined
  readonly problems: readonly string[]
}

type Annotations = Readonly<Record<string, string>>

/** What a workload says of its own proxy; undefined for nothing, or for what `annotationFindings` reports. */
export const annotatedProxyConfig = (annotations: Annotations): ProxyConfigSpec | undefined => read(annotations[proxyConfigAnnotation] ?? '').value

function read(text: string): Read {
  if (text === '') return { value: undefined, problems: [] }
  const { objects, issues } = readDocuments(text, proxyConfigAnnotation)
  if (issues.length > 0) return { value: undefined, problems: issues.map(({ origin, message }) => `line ${origin.line}: ${message}`) }
  const written = objects[0]?.value ?? {}
  const raw = withoutNulls(proxyConfigSchema, written).value
  const shaped = shape(proxyConfigSchema, raw, written)
  const findings = shaped.value === undefined ? shaped.findings : notServed(raw)
  return { value: shaped.value, problems: findings.map(([path, message]) => (path.length === 0 ? message : `${formatPath(path)}: ${message}`)) }
}

/** To be reported as warnings: the workload itself is none the worse. `at` is where its annotations stand. */
export function* annotationFindings(annotations: Annotations, at: readonly string[]): Iterable<Finding> {
  const { value, problems } = read(annotations[proxyConfigAnnotation] ?? '')
  const end = value === undefined ? '; the annotation is not used' : ''
  for (const problem of problems) yield [[...at, proxyConfigAnnotation], `${problem}${end}`]
}
