// extensionProviders of MeshConfig: those that decide about requests (ext_authz), which CUSTOM AuthorizationPolicies name
// (security spec 2.7). Those that logs, metrics and traces go to are known by name only.
import { z } from 'zod'
import { duration } from '../fields/duration.ts'
import { isHeaderName } from '../fields/headers.ts'
import { port } from '../fields/number.ts'

const status = z.string().regex(/^[2-5]\d\d$/, 'must be an HTTP status in quotes, such as "403"').optional()

const headers = z.array(z.string().min(1).refine((text) => text !== '*', 'must not be a lone *: list the headers, or write a prefix such as x-*')).default([])

const body = z.strictObject({ maxRequestBytes: z.int().min(1), allowPartialMessage: z.boolean().default(false), packAsBytes: z.boolean().default(false) })

const common = {
  service: z.string().min(1),
  port,
  timeout: duration.default(600_000),
  failOpen: z.boolean().default(false),
  statusOnError: status,
  clearRouteCache: z.boolean().default(false),
  includeRequestBodyInCheck: body.optional(),
}

const overHttp = z.strictObject({
  ...common,
  pathPrefix: z.string().default('').refine((text) => text === '' || text.startsWith('/'), 'must begin with a slash'),
  includeHeadersInCheck: headers,
  includeRequestHeadersInCheck: headers,
  includeAdditionalHeadersInCheck: z.record(z.string().refine(isHeaderName, 'is not the name of a header'), z.string()).default({}),
  headersToUpstreamOnAllow: headers,
  headersToDownstreamOnDeny: headers,
  headersToDownstreamOnAllow: headers,
})

const elsewhere = z.unknown().optional()

export const extensionProviders = z.array(z.strictObject({
  name: z.string().min(1),
  envoyExtAuthzHttp: overHttp.optional(),
  envoyExtAuthzGrpc: z.strictObject(common).optional(),
  ...Object.fromEntries(['zipkin', 'lightstep', 'datadog', 'stackdriver', 'opencensus', 'skywalking', 'opentelemetry', 'prometheus', 'envoyFileAccessLog', 'envoyHttpAls', 'envoyTcpAls', 'envoyOtelAls', 'sds'].map((name) => [name, elsewhere] as const)),
})).default([])
