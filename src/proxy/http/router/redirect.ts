// Answers that a route gives itself: redirects and direct responses.
import { RedirectAction_RedirectResponseCode as Code } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { DirectResponseAction, RedirectAction, RouteMatch } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { inlineText } from '../../xds/data-source.ts'
import type { LocalReply } from '../filter.ts'
import { withoutPort } from './domains.ts'
import { badConfig } from './problem.ts'
import type { RoutedRequest } from './request.ts'
import { prefixRewrite, regexRewrite } from './rewrite.ts'

const statuses: Readonly<Record<number, number>> = {
  [Code.MOVED_PERMANENTLY]: 301, [Code.FOUND]: 302, [Code.SEE_OTHER]: 303, [Code.TEMPORARY_REDIRECT]: 307, [Code.PERMANENT_REDIRECT]: 308,
}

const answer = (status: number, body: string, headers: readonly string[]): LocalReply =>
  ({ status, body, details: 'direct_response', flags: '', headers, grpcStatus: undefined })

export function compileDirectResponse({ status, body }: DirectResponseAction, maxBodyBytes: number): LocalReply {
  if (status < 200 || status > 599) throw badConfig(`direct_response.status ${status} is not between 200 and 599`)
  const text = inlineText(body, 'direct_response.body') ?? ''
  if (Buffer.byteLength(text) > maxBodyBytes) throw badConfig(`direct_response.body is longer than ${maxBodyBytes} bytes`)
  return answer(status, text, [])
}

export function compileRedirect(redirect: RedirectAction, match: RouteMatch | undefined): (request: RoutedRequest) => LocalReply {
  const status = statuses[redirect.responseCode] ?? 301
  const toPath = pathOf(redirect, match)
  return (request) => {
    const scheme = schemeOf(redirect, request.scheme)
    return answer(status, '', ['location', `${scheme}://${hostOf(redirect, scheme, request)}${toPath(request)}`])
  }
}

function schemeOf({ schemeRewriteSpecifier: { case: kind, value } }: RedirectAction, current: string): string {
  if (kind === 'httpsRedirect') return value ? 'https' : current
  return kind === 'schemeRedirect' && value !== '' ? value.toLowerCase() : current
}

/** A port that only the old scheme implied does not go along to the new one; the new one's own is not written. */
function hostOf({ hostRedirect, portRedirect }: RedirectAction, scheme: string, request: RoutedRequest): string {
  const host = hostRedirect === '' ? request.authority : hostRedirect
  if (portRedirect !== 0) {
    const implied = portRedirect === (scheme === 'https' ? 443 : 80)
    return implied ? withoutPort(host) : `${withoutPort(host)}:${portRedirect}`
  }
  const oldDefault = request.scheme === 'https' ? ':443' : ':80'
  return hostRedirect === '' && scheme !== request.scheme && host.endsWith(oldDefault) ? withoutPort(host) : host
}

function pathOf({ pathRewriteSpecifier: { case: kind, value }, stripQuery }: RedirectAction, match: RouteMatch | undefined) {
  const withQuery = (path: string, query: string): string => (stripQuery || query === '' ? path : `${path}?${query}`)
  switch (kind) {
    case undefined: return ({ pathname, query }: RoutedRequest) => withQuery(pathname, query)
    case 'pathRedirect': return ({ query }: RoutedRequest) => (value.includes('?') ? value : withQuery(value, query))
    case 'prefixRewrite': {
      const rewrite = prefixRewrite(value, match)
      return ({ pathname, query }: RoutedRequest) => withQuery(rewrite(pathname), query)
    }
    case 'regexRewrite': {
      const rewrite = regexRewrite(value)
      return ({ pathname, query }: RoutedRequest) => withQuery(rewrite(pathname), query)
    }
  }
}
