// The policies of a destination rule: pools, outlier detection, TLS (traffic spec 1.3, 2.4, 2.5). 0 means unset in pools.
import { z } from 'zod'
import { duration, durationOrZero } from '../fields/duration.ts'
import { hostOrIp } from '../fields/host.ts'
import { count, port, portSelector } from '../fields/number.ts'
import { loadBalancer } from './load-balancer.ts'

export const tcpKeepalive = z.strictObject({
  probes: count.optional(),
  time: duration.optional(),
  interval: duration.optional(),
})

export const connectionPool = z.strictObject({
  tcp: z
    .strictObject({
      maxConnections: count.optional(),
      connectTimeout: duration.optional(),
      tcpKeepalive: tcpKeepalive.optional(),
      maxConnectionDuration: duration.optional(),
      idleTimeout: durationOrZero.optional(),
    })
    .optional(),
  http: z
    .strictObject({
      http1MaxPendingRequests: count.optional(),
      http2MaxRequests: count.optional(),
      maxRequestsPerConnection: count.optional(),
      maxRetries: count.optional(),
      idleTimeout: durationOrZero.optional(),
      h2UpgradePolicy: z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']).default('DEFAULT'),
      useClientProtocol: z.boolean().default(false),
      maxConcurrentStreams: count.optional(),
      http2KeepAlive: z.strictObject({ interval: duration.optional(), timeout: duration.optional() }).optional(),
    })
    .optional(),
})

export type ConnectionPool = z.infer<typeof connectionPool>

/** 0 to 100, checked by a rule so that the message can name the field. */
const percentage = z.int().optional()

export const outlierDetection = z.strictObject({
  consecutive5xxErrors: count.optional(),
  consecutiveGatewayErrors: count.optional(),
  consecutiveErrors: z.int().optional(),
  splitExternalLocalOriginErrors: z.boolean().default(false),
  consecutiveLocalOriginFailures: count.optional(),
  interval: duration.optional(),
  baseEjectionTime: duration.optional(),
  maxEjectionPercent: percentage,
  minHealthPercent: percentage,
  outlierDetectionHttpErrorCodes: z.array(z.int().min(100).max(599)).optional(),
})

export type OutlierDetection = z.infer<typeof outlierDetection>

export const clientTls = z.strictObject({
  mode: z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']).default('DISABLE'),
  clientCertificate: z.string().default(''),
  privateKey: z.string().default(''),
  caCertificates: z.string().default(''),
  caCrl: z.string().default(''),
  credentialName: z.string().default(''),
  subjectAltNames: z.array(z.string()).default([]),
  sni: z.string().default(''),
  insecureSkipVerify: z.boolean().optional(),
})

export type ClientTls = z.infer<typeof clientTls>

export const portTrafficPolicy = z.strictObject({
  port: portSelector.optional(),
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
})

export type PortTrafficPolicy = z.infer<typeof portTrafficPolicy>

export const trafficPolicy = z.strictObject({
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
  portLevelSettings: z.array(portTrafficPolicy).max(4096).default([]),
  tunnel: z
    .strictObject({ protocol: z.enum(['CONNECT', 'POST']).default('CONNECT'), targetHost: hostOrIp, targetPort: port })
    .optional(),
  proxyProtocol: z.strictObject({ version: z.enum(['V1', 'V2']).default('V1') }).optional(),
  retryBudget: z
    .strictObject({
      percent: z.number().min(0).max(100).optional(),
      minRetryConcurrency: count.optional(),
      budgetInterval: durationOrZero.optional(),
    })
    .optional(),
})

export type TrafficPolicy = z.infer<typeof trafficPolicy>
