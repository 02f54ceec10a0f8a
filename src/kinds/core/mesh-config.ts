// MeshConfig: the mesh-wide settings, which stand as YAML text in the ConfigMap `istio` (security spec 6.4).
import { z } from 'zod'
import { duration, durationOrZero } from '../fields/duration.ts'
import { exportTo, exportToOrNone, labels } from '../fields/labels.ts'
import { port } from '../fields/number.ts'
import type { Frozen, NotServed } from '../kind.ts'
import { retries } from '../networking/http-route.ts'
import { localityLbSetting, zoneAwareLbSetting } from '../networking/load-balancer.ts'
import { connectionPool, outlierDetection, tcpKeepalive } from '../networking/traffic-policy.ts'

const everyone = ['*']
const later = z.unknown().optional()
const tls = z.strictObject({
  minProtocolVersion: z.enum(['TLS_AUTO', 'TLSV1_2', 'TLSV1_3']).optional(),
  ecdhCurves: z.array(z.string()).optional(),
  cipherSuites: z.array(z.string()).optional(),
})

export const meshConfigSchema = z.strictObject({
  trustDomain: z.string().min(1).default('cluster.local'),
  trustDomainAliases: z.array(z.string()).default([]),
  rootNamespace: z.string().min(1).default('istio-system'),
  enableAutoMtls: z.boolean().default(true),
  outboundTrafficPolicy: z
    .strictObject({ mode: z.enum(['REGISTRY_ONLY', 'ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS']).default('ALLOW_ANY') })
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
    .array(z.strictObject({ matchLabels: labels.optional(), matchExpressions: z.array(z.unknown()).optional() }))
    .default([]),
  proxyListenPort: port.default(15001),
  proxyInboundListenPort: port.default(15006),
  proxyHttpPort: z.int().min(0).max(65535).optional(),
  enablePrometheusMerge: z.boolean().optional(),
  defaultConfig: z.record(z.string(), z.unknown()).optional(),
  ingressClass: z.string().optional(),
  ingressService: z.string().optional(),
  ingressControllerMode: z.string().optional(),
  ingressSelector: z.string().optional(),
  extensionProviders: later,
  defaultProviders: later,
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
})

export type MeshConfig = z.infer<typeof meshConfigSchema>
export type MeshConfigSpec = Frozen<MeshConfig>

export const meshConfigNotServed: readonly NotServed[] = [
  { path: 'outboundTrafficPolicy.mode', values: ['ALLOW_ANY_DYNAMIC_DNS'] },
  { path: 'inboundTrafficPolicy.mode', values: ['LOCALHOST'] },
  { path: 'hboneIdleTimeout' },
  { path: 'enableEnvoyAccessLogService' },
  { path: 'localityLbSetting' },
  { path: 'zoneAwareLbSetting' },
  { path: 'defaultInboundHttpRetryPolicy' },
  { path: 'tcpKeepalive' },
  { path: 'h2UpgradePolicy', values: ['UPGRADE'] },
  { path: 'defaultTrafficPolicy' },
  { path: 'meshMTLS' },
  { path: 'tlsDefaults' },
  { path: 'discoverySelectors' },
  { path: 'extensionProviders' },
  { path: 'serviceSettings' },
  { path: 'serviceScopeConfigs' },
  { path: 'serviceEntryVisibility' },
  { path: 'caCertificates' },
  { path: 'ca' },
  { path: 'inboundClusterStatName' },
  { path: 'outboundClusterStatName' },
]
