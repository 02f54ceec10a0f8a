// MeshConfig: the mesh-wide settings, which stand as YAML text in the ConfigMap `istio` (security spec 6.4).
import { z } from 'zod'
import { duration, durationOrZero } from '../fields/duration.ts'
import { exportTo, exportToOrNone, labels } from '../fields/labels.ts'
import { port } from '../fields/number.ts'
import type { Frozen, NotServed } from '../kind.ts'
import { extensionProviders } from './extension-providers.ts'
import { proxyConfigNotServed, proxyConfigSchema } from './proxy-config.ts'
import { retries } from '../networking/http-route.ts'
import { knownCiphers, knownCurves } from '../networking/server-tls-rules.ts'
import { localityLbSetting, zoneAwareLbSetting } from '../networking/load-balancer.ts'
import { clientTls, connectionPool, outlierDetection, tcpKeepalive } from '../networking/traffic-policy.ts'

const everyone = ['*']
const later = z.unknown().optional()

/** Settings of Istio's past, which older clusters still carry. Istio ignores them too. */
const removed = [
  'mixerCheckServer', 'mixerReportServer', 'disablePolicyChecks', 'disableMixerHttpReports', 'policyCheckFailOpen', 'sidecarToTelemetrySessionAffinity',
  'enableClientSidePolicyCheck', 'authPolicy', 'rdsRefreshDelay', 'sdsUdsPath', 'sdsRefreshDelay', 'enableSdsTokenMount', 'sdsUseK8sSaJwt',
  'reportBatchMaxEntries', 'reportBatchMaxTime', 'disableReportBatch', 'concurrency', 'sdsUseTrustworthyJwt', 'useHttp2ForH1', 'drainDuration',
]
const tls = z.strictObject({
  minProtocolVersion: z.enum(['TLS_AUTO', 'TLSV1_2', 'TLSV1_3']).optional(),
  ecdhCurves: z.array(z.enum([...knownCurves])).optional(),
  cipherSuites: z.array(z.enum([...knownCiphers])).optional(),
})

/** As Kubernetes selects by labels: all of it must hold. */
const namespaceSelector = z.strictObject({
  matchLabels: labels.optional(),
  matchExpressions: z
    .array(z.strictObject({ key: z.string().min(1), operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']), values: z.array(z.string()).optional() }))
    .optional(),
})

export type NamespaceSelector = Frozen<z.infer<typeof namespaceSelector>>

export const meshConfigSchema = z.strictObject({
  trustDomain: z.string().min(1).default('cluster.local'),
  trustDomainAliases: z.array(z.string()).default([]),
  rootNamespace: z.string().min(1).default('istio-system'),
  enableAutoMtls: z.boolean().default(true),
  outboundTrafficPolicy: z
    .strictObject({ mode: z.enum(['REGISTRY_ONLY', 'ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS']).default('ALLOW_ANY'), tls: clientTls.optional() })
    .prefault({}),
  inboundTrafficPolicy: z.strictObject({ mode: z.enum(['PASSTHROUGH', 'LOCALHOST']).default('PASSTHROUGH') }).prefault({}),
  connectTimeout: duration.default(10_000),
  protocolDetectionTimeout: durationOrZero.default(0),
  hboneIdleTimeout: duration.optional(),
  dnsRefreshRate: duration.default(60_000),
  accessLogFile: z.string().default(''),
  accessLogEncoding: z.enum(['TEXT', 'JSON']).default('TEXT'),
  accessLogFormat: z.string().default(''),
  enableTracing: z.boolean().optional(),
  enableEnvoyAccessLogService: z.boolean().optional(),
  disableEnvoyListenerLog: z.boolean().optional(),
  defaultServiceExportTo: exportToOrNone.default(everyone),
  defaultVirtualServiceExportTo: exportTo.default(everyone),
  defaultDestinationRuleExportTo: exportTo.default(everyone),
  localityLbSetting: localityLbSetting.optional(),
  zoneAwareLbSetting: zoneAwareLbSetting.optional(),
  pathNormalization: z
    .strictObject({
      normalization: z.enum(['DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES']).default('DEFAULT'),
    })
    .prefault({}),
  defaultHttpRetryPolicy: retries.optional(),
  defaultInboundHttpRetryPolicy: retries.optional(),
  tcpKeepalive: tcpKeepalive.optional(),
  h2UpgradePolicy: z.enum(['DO_NOT_UPGRADE', 'UPGRADE']).default('DO_NOT_UPGRADE'),
  verifyCertificateAtClient: z.boolean().optional(),
  defaultTrafficPolicy: z
    .strictObject({ connectionPool: connectionPool.optional(), outlierDetection: outlierDetection.optional() })
    .optional(),
  meshMTLS: tls.optional(),
  tlsDefaults: tls.optional(),
  discoverySelectors: z
    .array(namespaceSelector)
    .default([]),
  proxyListenPort: port.default(15001),
  proxyInboundListenPort: port.default(15006),
  proxyHttpPort: z.int().min(0).max(65535).optional(),
  enablePrometheusMerge: z.boolean().optional(),
  defaultConfig: proxyConfigSchema.optional(),
  ingressClass: z.string().optional(),
  ingressService: z.string().optional(),
  ingressControllerMode: z.string().optional(),
  ingressSelector: z.string().optional(),
  extensionProviders,
  defaultProviders: z
    .strictObject({ tracing: z.array(z.string()).optional(), metrics: z.array(z.string()).optional(), accessLogging: z.array(z.string()).optional() })
    .optional(),
  serviceSettings: later,
  serviceScopeConfigs: later,
  serviceEntryVisibility: later,
  configSources: later,
  caCertificates: later,
  ca: later,
  certificates: later,
  thriftConfig: later,
  inboundClusterStatName: z.string().optional(),
  outboundClusterStatName: z.string().optional(),
  ...Object.fromEntries(removed.map((name) => [name, later] as const)),
})

export type MeshConfig = z.infer<typeof meshConfigSchema>
export type MeshConfigSpec = Frozen<MeshConfig>

const noTelemetry = 'access logs and metrics are as everywhere'

export const meshConfigNotServed: readonly NotServed[] = [
  { path: 'hboneIdleTimeout' },
  { path: 'enableTracing', instead: 'no spans are sent' },
  { path: 'enableEnvoyAccessLogService' },
  { path: 'tlsDefaults.minProtocolVersion', quiet: 'ignored, as by Istio: TLS 1.2 is the least' },
  { path: 'enablePrometheusMerge', quiet: "without a warning, since every installation writes it: injectors read it; our proxy merges the metrics that ISTIO_PROMETHEUS_ANNOTATIONS names" },
  ...proxyConfigNotServed('defaultConfig'),
  { path: 'ingressClass', except: ['istio'] },
  { path: 'ingressService', except: ['istio-ingressgateway'] },
  { path: 'ingressControllerMode', except: ['STRICT', 'DEFAULT', 'OFF'] },
  { path: 'ingressSelector', except: ['ingressgateway'] },
  { path: 'defaultProviders.accessLogging', instead: noTelemetry },
  { path: 'defaultProviders.tracing', instead: 'no spans are sent' },
  { path: 'defaultProviders.metrics[]', except: ['prometheus'], instead: noTelemetry },
  { path: 'serviceSettings' },
  { path: 'serviceScopeConfigs' },
  { path: 'serviceEntryVisibility' },
  { path: 'configSources' },
  { path: 'caCertificates' },
  { path: 'ca' },
  { path: 'certificates' },
  { path: 'thriftConfig' },
  { path: 'inboundClusterStatName' },
  { path: 'outboundClusterStatName' },
  ...removed.map((path) => ({ path, quiet: 'not read: Istio has removed it' })),
]
