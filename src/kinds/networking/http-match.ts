// The match block of an HTTP route: all its fields must agree (traffic spec 1.2.3).
import { z } from 'zod'
import { dnsLabel } from '../fields/host.ts'
import { labels } from '../fields/labels.ts'
import { presenceMatch, stringMatch } from '../fields/match.ts'
import { portOrNone } from '../fields/number.ts'

export const httpMatch = z.strictObject({
  name: z.string().default(''),
  uri: stringMatch.optional(),
  scheme: stringMatch.optional(),
  method: stringMatch.optional(),
  authority: stringMatch.optional(),
  headers: z.record(z.string(), presenceMatch).default({}),
  withoutHeaders: z.record(z.string(), presenceMatch).default({}),
  queryParams: z.record(z.string(), presenceMatch).default({}),
  ignoreUriCase: z.boolean().default(false),
  port: portOrNone.optional(),
  sourceLabels: labels.default({}),
  sourceNamespace: dnsLabel.optional(),
  gateways: z.array(z.string()).default([]),
  statPrefix: z.string().optional(),
})

export type HttpMatch = z.infer<typeof httpMatch>
