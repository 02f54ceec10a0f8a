// All rules of one entry of VirtualService.http, from the files of its parts (traffic spec 1.2.2 to 1.2.4).
import type { Headers } from '../fields/headers.ts'
import { each, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { HttpDestination } from './destination.ts'
import { headerRules } from './header-rules.ts'
import { httpActionRules } from './http-action-rules.ts'
import type { HttpMatch } from './http-match.ts'
import { httpMatchRules } from './http-match-rules.ts'
import { corsRules, faultRules, mirrorRules, retryRules } from './http-policy-rules.ts'
import type { CorsPolicy, HttpFault, HttpRetry, HttpRoute } from './http-route.ts'
import { weightRules } from './weight-rules.ts'

export const httpRouteRules: readonly Rule<HttpRoute>[] = [
  ...httpActionRules,
  ...each<HttpRoute, HttpMatch>(({ match }) => match, ['match'], httpMatchRules),
  ...weightRules<HttpRoute>(),
  ...within<HttpRoute, Headers>(({ headers }) => headers, ['headers'], headerRules),
  ...each<HttpRoute, HttpDestination>(({ route }) => route, ['route'], within(({ headers }) => headers, ['headers'], headerRules)),
  ...within<HttpRoute, HttpRetry>(({ retries }) => retries, ['retries'], retryRules),
  ...within<HttpRoute, HttpFault>(({ fault }) => fault, ['fault'], faultRules),
  ...within<HttpRoute, CorsPolicy>(({ corsPolicy }) => corsPolicy, ['corsPolicy'], corsRules),
  ...mirrorRules,
]
