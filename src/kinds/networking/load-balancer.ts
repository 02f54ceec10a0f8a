// How a destination rule picks an endpoint (traffic spec 2.1 to 2.3).
import { z } from 'zod'
import { duration, durationOrZero } from '../fields/duration.ts'
import { count } from '../fields/number.ts'

const uint64 = z.int().min(0)

const consistentHash = z.strictObject({
  httpHeaderName: z.string().min(1).optional(),
  httpCookie: z
    .strictObject({
      name: z.string().default(''),
      path: z.string().default(''),
      ttl: durationOrZero.optional(),
      attributes: z.array(z.strictObject({ name: z.string(), value: z.string().default('') })).default([]),
    })
    .optional(),
  useSourceIp: z.boolean().optional(),
  httpQueryParameterName: z.string().min(1).optional(),
  ringHash: z.strictObject({ minimumRingSize: uint64.default(1024) }).optional(),
  maglev: z.strictObject({ tableSize: uint64.default(0) }).optional(),
  minimumRingSize: uint64.optional(),
})

const failover = z.array(z.strictObject({ from: z.string(), to: z.string() })).default([])

/** Also the mesh's own setting. */
export const localityLbSetting = z.strictObject({
  distribute: z.array(z.strictObject({ from: z.string(), to: z.record(z.string(), count) })).default([]),
  failover,
  failoverPriority: z.array(z.string()).default([]),
  enabled: z.boolean().optional(),
})

export const zoneAwareLbSetting = z.strictObject({
  enabled: z.boolean().optional(),
  minClusterSize: count.optional(),
  failover,
  failoverPriority: z.array(z.string()).default([]),
})

export const loadBalancer = z.strictObject({
  simple: z
    .enum(['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'])
    .optional(),
  consistentHash: consistentHash.optional(),
  localityLbSetting: localityLbSetting.optional(),
  zoneAwareLbSetting: zoneAwareLbSetting.optional(),
  warmup: z
    .strictObject({
      duration: duration.optional(),
      minimumPercent: z.number().min(0).optional(),
      aggression: z.number().optional(),
    })
    .optional(),
  warmupDurationSecs: duration.optional(),
})

export type LoadBalancer = z.infer<typeof loadBalancer>
export type LocalityLbSetting = z.infer<typeof localityLbSetting>
export type ZoneAwareLbSetting = z.infer<typeof zoneAwareLbSetting>
export type ConsistentHash = z.infer<typeof consistentHash>
