// RequestAuthentication: whose tokens requests may carry, where they stand, and what of them goes on (security spec 2.4).
import { z } from 'zod'
import { duration } from '../fields/duration.ts'
import type { Frozen, Kind } from '../kind.ts'
import { attachment, attachmentNotServed } from './attachment.ts'
import { requestAuthenticationRules } from './request-authentication-rules.ts'

const names = z.array(z.string().min(1, 'must not be empty')).default([])
const headerName = z.string().refine((name) => /^[-_A-Za-z0-9]+$/.test(name), 'is not the name of a header')

const jwtRule = z.strictObject({
  issuer: z.string().default(''),
  audiences: names,
  jwksUri: z.string().optional(),
  jwks: z.string().optional(),
  fromHeaders: z.array(z.strictObject({ name: headerName, prefix: z.string().default('') })).default([]),
  fromParams: names,
  fromCookies: names,
  outputPayloadToHeader: headerName.optional(),
  forwardOriginalToken: z.boolean().default(false),
  outputClaimToHeaders: z.array(z.strictObject({ header: headerName, claim: z.string().min(1, 'must name a claim') })).default([]),
  timeout: duration.optional(),
  spaceDelimitedClaims: names,
})

const schema = z
  .strictObject({
    ...attachment,
    jwtRules: z.array(jwtRule).max(4096).default([]),
  })
  .prefault({})

export type RequestAuthentication = z.infer<typeof schema>
export type RequestAuthenticationSpec = Frozen<RequestAuthentication>
export type JwtRule = RequestAuthenticationSpec['jwtRules'][number]

export const requestAuthentication: Kind<RequestAuthentication> = {
  kind: 'RequestAuthentication',
  group: 'security.istio.io',
  versions: ['v1', 'v1beta1'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: requestAuthenticationRules,
  notServed: attachmentNotServed,
}
