// What an HTTP route does with a request: exactly one action, and what each of them needs (traffic spec 1.2.2, 1.2.4).
import { error, warning, within } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import { authoritiesOf } from './header-rules.ts'
import type { HttpDirectResponse, HttpRedirect, HttpRewrite, HttpRoute } from './http-route.ts'

const actions = ['route', 'redirect', 'directResponse', 'delegate'] as const
type Action = (typeof actions)[number]

/** What each action cannot stand beside, in words of the fields. A delegate may give its own rules what they leave out. */
const excludes: Readonly<Record<Action, readonly (keyof HttpRoute)[]>> = {
  route: [],
  redirect: ['route', 'fault', 'rewrite', 'directResponse'],
  directResponse: ['route', 'fault', 'rewrite'],
  delegate: ['route', 'redirect'],
}

const isSet = (value: unknown): boolean => value !== undefined && !(Array.isArray(value) && value.length === 0)

export const httpActionRules: readonly Rule<HttpRoute>[] = [
  error(function* (route) {
    const found = actions.filter((action) => isSet(route[action]))
    if (found.length === 0) yield [[], `needs an action: one of ${actions.join(', ')}`]
    for (const action of found) yield* clashes(route, action)
  }),
  error(function* ({ rewrite, headers }) {
    const headerPaths = authoritiesOf(headers).map(([operation, name]) => ['headers', 'request', operation, name])
    const [, ...more] = [...(rewrite?.authority ? [['rewrite', 'authority']] : []), ...headerPaths]
    for (const path of more) yield [path, 'sets the authority a second time: keep one of rewrite.authority and the headers host and :authority']
  }),
  error(function* ({ redirect, match }) {
    if (!redirect?.prefixRewrite) return
    if (match.length === 0 || match.some(({ uri }) => uri?.prefix === undefined)) {
      yield [['redirect', 'prefixRewrite'], 'needs a prefix to replace: every match of the rule must have uri.prefix']
    }
  }),
  ...within<HttpRoute, HttpRedirect>(({ redirect }) => redirect, ['redirect'], redirectRules()),
  ...within<HttpRoute, HttpDirectResponse>(({ directResponse }) => directResponse, ['directResponse'], directResponseRules()),
  ...within<HttpRoute, HttpRewrite>(({ rewrite }) => rewrite, ['rewrite'], rewriteRules()),
]

function* clashes(route: Frozen<HttpRoute>, action: Action): Iterable<Finding> {
  for (const field of excludes[action]) {
    if (isSet(route[field])) yield [[field], `cannot stand beside ${action}: remove one of them`]
  }
}

function redirectRules(): Rule<HttpRedirect>[] {
  return [
    error(function* (redirect) {
      const { uri, prefixRewrite, authority, port, derivePort, scheme } = redirect
      if (!uri && !prefixRewrite && !authority && port === undefined && derivePort === undefined && scheme === undefined) {
        yield [[], 'must change something: give it uri, prefixRewrite, authority, port, derivePort or scheme']
      }
      if (uri && prefixRewrite) yield [['prefixRewrite'], 'cannot stand beside uri: remove one of them']
      if (port !== undefined && derivePort !== undefined) yield [['derivePort'], 'cannot stand beside port: remove one of them']
    }),
    warning(function* ({ redirectCode }) {
      if (![301, 302, 303, 307, 308].includes(redirectCode)) {
        yield [['redirectCode'], `${redirectCode} cannot be sent: the rule has no effect until it is 301, 302, 303, 307 or 308`]
      }
    }),
  ]
}

const kib = 1024
const maxBody = 1024 * kib
const largeBody = 100 * kib

function bodySize({ body }: Frozen<HttpDirectResponse>): number {
  if (body?.bytes !== undefined) return Math.floor((body.bytes.length * 3) / 4)
  return Buffer.byteLength(body?.string ?? '')
}

function directResponseRules(): Rule<HttpDirectResponse>[] {
  return [
    error(function* (response) {
      const { body } = response
      if (body?.string !== undefined && body.bytes !== undefined) yield [['body'], 'must have one of string and bytes, not both']
      if (bodySize(response) > maxBody) yield [['body'], `has ${bodySize(response)} bytes: at most 1 MiB can be served from a route`]
    }),
    warning(function* (response) {
      const size = bodySize(response)
      if (size > largeBody && size <= maxBody) yield [['body'], `has ${size} bytes, which every proxy keeps: above 100 KiB let a service answer`]
    }),
  ]
}

function rewriteRules(): Rule<HttpRewrite>[] {
  return [
    error(function* ({ uri, authority, uriRegexRewrite }) {
      if (uri && uriRegexRewrite !== undefined) yield [['uriRegexRewrite'], 'cannot stand beside uri: remove one of them']
      if (!uri && !authority && uriRegexRewrite === undefined) yield [[], 'must change something: give it uri, uriRegexRewrite or authority']
    }),
    error(function* ({ uriRegexRewrite: regex }) {
      if (regex === undefined) return
      if (!regex.match) yield [['uriRegexRewrite', 'match'], 'is required: the pattern to replace']
      if (!regex.rewrite) yield [['uriRegexRewrite', 'rewrite'], 'is required: what to put in its place']
    }),
  ]
}
