// One rule of VirtualService.http: what it does with the requests that its match blocks let in (traffic spec 1.2.2, 1.2.4).
import { z } from 'zod'
import { duration, durationOrZero } from '../fields/duration.ts'
import { headers } from '../fields/headers.ts'
import { regex, stringMatch } from '../fields/match.ts'
import { count, percent, portOrNone } from '../fields/number.ts'
import { destination, httpDestination, mirror } from './destination.ts'
import { httpMatch } from './http-match.ts'

export const redirect = z.strictObject({
  uri: z.string().optional(),
  prefixRewrite: z.string().optional(),
  authority: z.string().optional(),
  port: portOrNone.optional(),
  derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).optional(),
  scheme: z.enum(['http', 'https']).optional(),
  redirectCode: z.int().min(300, 'must be 300 to 399').max(399, 'must be 300 to 399').default(301),
})

export type HttpRedirect = z.infer<typeof redirect>

export const directResponse = z.strictObject({
  status: z.int().min(200, 'must be 200 to 600').max(600, 'must be 200 to 600'),
  body: z.strictObject({ string: z.string().optional(), bytes: z.base64().optional() }).optional(),
})

export type HttpDirectResponse = z.infer<typeof directResponse>

export const rewrite = z.strictObject({
  uri: z.string().optional(),
  authority: z.string().optional(),
  uriRegexRewrite: z.strictObject({ match: regex.optional(), rewrite: z.string().optional() }).optional(),
})

export type HttpRewrite = z.infer<typeof rewrite>

export const retries = z.strictObject({
  attempts: count.default(0),
  perTryTimeout: durationOrZero.optional(),
  retryOn: z.string().default(''),
  retryRemoteLocalities: z.boolean().optional(),
  retryIgnorePreviousHosts: z.boolean().optional(),
  backoff: duration.optional(),
})

export type HttpRetry = z.infer<typeof retries>

export const fault = z.strictObject({
  delay: z
    .strictObject({
      percentage: percent.optional(),
      percent: z.int().min(0).max(100).optional(),
      fixedDelay: duration.optional(),
      exponentialDelay: duration.optional(),
    })
    .optional(),
  abort: z
    .strictObject({
      percentage: percent.optional(),
      httpStatus: z.int().min(200, 'must be 200 to 600').max(600, 'must be 200 to 600').optional(),
      grpcStatus: z.string().optional(),
      http2Error: z.string().optional(),
    })
    .optional(),
})

export type HttpFault = z.infer<typeof fault>

export const corsPolicy = z.strictObject({
  allowOrigins: z.array(stringMatch).default([]),
  allowOrigin: z.array(z.string()).default([]),
  allowMethods: z.array(z.string()).default([]),
  allowHeaders: z.array(z.string()).default([]),
  exposeHeaders: z.array(z.string()).default([]),
  maxAge: durationOrZero.optional(),
  allowCredentials: z.boolean().optional(),
  unmatchedPreflights: z.enum(['UNSPECIFIED', 'FORWARD', 'IGNORE']).default('UNSPECIFIED'),
})

export type CorsPolicy = z.infer<typeof corsPolicy>

export const httpRoute = z.strictObject({
  name: z.string().default(''),
  match: z.array(httpMatch).default([]),
  route: z.array(httpDestination).default([]),
  redirect: redirect.optional(),
  directResponse: directResponse.optional(),
  delegate: z.strictObject({ name: z.string().min(1), namespace: z.string().optional() }).optional(),
  rewrite: rewrite.optional(),
  timeout: durationOrZero.optional(),
  retries: retries.optional(),
  fault: fault.optional(),
  mirror: destination.optional(),
  mirrorPercentage: percent.optional(),
  mirrorPercent: z.int().min(0).optional(),
  mirror_percent: z.int().min(0).optional(),
  mirrors: z.array(mirror).default([]),
  corsPolicy: corsPolicy.optional(),
  headers: headers.optional(),
})

export type HttpRoute = z.infer<typeof httpRoute>
