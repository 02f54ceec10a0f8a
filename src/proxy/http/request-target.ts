// Reads authority and path from a request's target and Host (RFC 9112 §3.2), and normalizes the path.
import { checkHost } from '../../codec/h1/field-value.ts'
import type { H1Head } from '../../codec/h1/types.ts'
import type { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import type { ManagerConfig } from './manager-config.ts'
import { isSuspicious, normalizePath } from './path.ts'
import { badPath, missingHost } from './rescue.ts'
import { withoutPort } from './router/domains.ts'

/** Fills method's companions in the exchange; a reply refuses the request, an H1Error does so too. To be called before headers are prepared. */
export function readTarget(exchange: Exchange, { target, headers }: H1Head, config: ManagerConfig): LocalReply | undefined {
  const host = headers.get('host') ?? config.defaultHostForHttp10
  const absolute = target.charCodeAt(0) === 0x2f || target === '*' ? undefined : parseAbsolute(target)
  if (absolute !== undefined) checkHost(absolute.authority)
  return setTarget(exchange, absolute?.authority ?? host, absolute?.path ?? target, config)
}

/** `OPTIONS *` is for the server as a whole, and which one that is no route says. */
const noPath: LocalReply = { status: 404, body: '', details: 'absolute_path_rejected', flags: '', headers: [], grpcStatus: undefined }

/** Whom it is for and what of it, as the client named them. */
export function setTarget(exchange: Exchange, named: string, path: string, config: ManagerConfig): LocalReply | undefined {
  const authority = exchange.connection.authorityOf(named)
  exchange.authority = config.stripAnyPort ? withoutPort(authority) : authority
  exchange.setPath(path)
  if (exchange.authority === '') return missingHost
  if (path.charCodeAt(0) !== 0x2f) return noPath
  return isSuspicious(exchange.path) ? normalize(exchange, config) : undefined
}

/** `http://host:80/path?query`. The target of CONNECT has no scheme, and is all authority. */
function parseAbsolute(target: string): { readonly authority: string; readonly path: string } {
  const scheme = target.indexOf('://')
  if (scheme === -1) return { authority: target, path: '' }
  const from = scheme + 3
  const end = target.slice(from).search(/[/?#]/)
  const authority = end === -1 ? target.slice(from) : target.slice(from, from + end)
  const path = end === -1 ? '/' : target.slice(from + end)
  return { authority: authority.slice(authority.lastIndexOf('@') + 1), path: path.startsWith('/') ? path : `/${path}` }
}

function normalize(exchange: Exchange, config: ManagerConfig): LocalReply | undefined {
  const normalized = normalizePath(exchange.path, config)
  if (normalized.kind === 'reject') return badPath
  exchange.setPath(normalized.path)
  if (normalized.kind === 'path') return undefined
  return { status: 307, body: '', details: 'path_normalization_redirect', flags: '', headers: ['location', normalized.path], grpcStatus: undefined }
}
