// Normalizes request paths before anything matches them, so that `/a/../admin` cannot slip past a rule for `/admin`
// (security spec 2.8). The query is never touched.
import { HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'

export interface PathRules {
  readonly normalizePath: boolean
  readonly mergeSlashes: boolean
  readonly escapedSlashes: EscapedSlashes
}

/** `redirect` sends the client to the path as it should have been. */
export type NormalizedPath = { readonly kind: 'path' | 'redirect'; readonly path: string } | { readonly kind: 'reject' }

const rejected: NormalizedPath = { kind: 'reject' }

/** Whether the path has anything that normalizing could change: most have not, and pay only for this scan. */
export function isSuspicious(path: string): boolean {
  let previous = 0
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code === 0x3f) return path.includes('#', i)
    if (code === 0x25 || code === 0x5c || code === 0x23) return true
    if (previous === 0x2f && (code === 0x2e || code === 0x2f)) return true
    previous = code
  }
  return false
}

export function normalizePath(path: string, rules: PathRules): NormalizedPath {
  // A fragment is none of a server's business: whoever sends one hopes that somebody behind us reads it differently.
  if (path.includes('#')) return rejected
  const question = path.indexOf('?')
  const query = question === -1 ? '' : path.slice(question)
  let pathname = question === -1 ? path : path.slice(0, question)
  const unescaped = unescapeSlashes(pathname, rules.escapedSlashes)
  if (unescaped === undefined) return rejected
  const redirects = unescaped !== pathname && rules.escapedSlashes === EscapedSlashes.UNESCAPE_AND_REDIRECT
  pathname = unescaped
  if (rules.normalizePath) {
    if (/%00/.test(pathname)) return rejected
    pathname = removeDotSegments(decodeUnreserved(pathname.replaceAll('\\', '/')))
  }
  if (rules.mergeSlashes) pathname = pathname.replace(/\/{2,}/g, '/')
  return { kind: redirects ? 'redirect' : 'path', path: pathname + query }
}

/** Undefined: the request is to be refused. */
function unescapeSlashes(pathname: string, action: EscapedSlashes): string | undefined {
  const keeps = action === EscapedSlashes.KEEP_UNCHANGED || action === EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT
  if (keeps || !/%(?:2f|5c)/i.test(pathname)) return pathname
  if (action === EscapedSlashes.REJECT_REQUEST) return undefined
  return pathname.replace(/%2f/gi, '/').replace(/%5c/gi, '\\')
}

/** `%7E` and `~` are the same (RFC 3986 §2.3). */
function decodeUnreserved(pathname: string): string {
  return pathname.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape
  })
}

/**
 * RFC 3986 §5.2.4, for paths that begin with a slash. A dot segment with a parameter (`..;x`) is one too, as Envoy has it:
 * servers that cut parameters off would go up.
 */
function removeDotSegments(pathname: string): string {
  const result: string[] = []
  const segments = pathname.split('/')
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!.replace(/^(\.\.?);.*$/, '$1')
    const last = i === segments.length - 1
    if (segment === '.' || segment === '..') {
      if (segment === '..') result.pop()
      if (last) result.push('')
    } else result.push(segment)
  }
  return `/${result.join('/')}`
}
