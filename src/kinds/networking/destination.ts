// Where a route sends traffic: a host, perhaps a subset and a port of it.
import { z } from 'zod'
import { headers } from '../fields/headers.ts'
import { destinationHost, dnsLabel } from '../fields/host.ts'
import { percent, portSelector } from '../fields/number.ts'

export const destination = z.strictObject({
  host: destinationHost,
  subset: dnsLabel.optional(),
  port: portSelector.optional(),
})

export type Destination = z.infer<typeof destination>

/** int32; with a single destination it is ignored. */
const weight = z.int().min(0, 'must not be negative').max(2_147_483_647).default(0)

export const httpDestination = z.strictObject({ destination, weight, headers: headers.optional() })

export type HttpDestination = z.infer<typeof httpDestination>

/** For TCP and TLS routes. */
export const routeDestination = z.strictObject({ destination, weight })

export type RouteDestination = z.infer<typeof routeDestination>

export const mirror = z.strictObject({ destination, percentage: percent.optional() })
