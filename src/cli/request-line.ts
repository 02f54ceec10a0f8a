// Reads the request that a person asks about: 'GET http://reviews:9080/reviews/1?lang=en', and header options; or a bare
// connection: 'TCP db:5432', 'TLS db:5432' and the like as tcp://db:5432.
import { UsageError } from './usage-error.ts'

const schemes = ['http', 'https', 'tcp', 'tls'] as const
type Scheme = (typeof schemes)[number]

export interface AskedRequest {
  /** TCP or TLS for a connection that carries no request. */
  readonly method: string
  readonly scheme: Scheme
  /** Lower case, without port and brackets. */
  readonly host: string
  /** Undefined when the URL names none. */
  readonly port: number | undefined
  /** As it would stand in Host. */
  readonly authority: string
  /** With the query, as written: normalizing it is the proxy's business. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Of the ClientHello, where it is not the host. */
  readonly sni?: string | undefined
  /** Whence it comes, where that is not the client's own address. */
  readonly sourceIp?: string | undefined
}

/** A URL with its scheme may stand alone; a bare host may not: `GET` would be one. */
const shape = /^(?:(\S+)\s+|(?=[a-z]+:\/\/))(?:([a-z][a-z0-9+.-]*):\/\/)?([^/?#\s]*)((?:[/?][^#\s]*)?)(?:#\S*)?$/i
const hostAndPort = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]@]+))(?::(\d{1,5}))?$/i

/** Throws `UsageError` with all that is wrong. Without a method it is GET. */
export function parseRequest(line: string, headerOptions: readonly string[], sni?: string): AskedRequest {
  const mistakes: string[] = []
  const [, verb = 'GET', given, at = '', path = ''] = shape.exec(line.trim()) ?? []
  const named = hostAndPort.exec(at)
  const port = named?.[3] === undefined ? undefined : Number(named[3])
  const scheme = schemeOf(verb, given, mistakes)
  const bare = scheme === 'tcp' || scheme === 'tls'
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(verb)) mistakes.push(`--request: ${JSON.stringify(verb)} is no method`)
  if (named === null || (port !== undefined && (port === 0 || port > 65_535))) {
    mistakes.push(`--request must be 'METHOD URL' such as 'GET http://reviews:9080/reviews/1', not ${JSON.stringify(line)}`)
  } else if (bare && (port === undefined || path !== '')) {
    mistakes.push(`--request: a connection goes to a host and a port, such as '${scheme.toUpperCase()} db:5432', not ${JSON.stringify(line)}`)
  }
  if (sni !== undefined && (scheme === 'http' || scheme === 'tcp')) mistakes.push(`--sni: ${scheme} sends no server name: only https and tls do`)
  if (bare && headerOptions.length > 0) mistakes.push('--header: a connection has no headers')
  const headers = headerOptions.map((text) => parseHeader(text, mistakes))
  if (mistakes.length > 0) throw new UsageError(mistakes)
  const own = headers.find(([name]) => name === 'host')?.[1]
  return {
    method: bare ? scheme.toUpperCase() : verb.toUpperCase(),
    scheme,
    host: (named?.[1] ?? named?.[2] ?? '').toLowerCase(),
    port,
    authority: own ?? at,
    path: bare || path.startsWith('/') ? path : `/${path}`,
    headers: headers.filter(([name]) => name !== 'host'),
    sni: sni?.toLowerCase(),
  }
}

/** `TCP db:5432` says it by its method. */
function schemeOf(verb: string, given: string | undefined, mistakes: string[]): Scheme {
  const word = (given ?? (/^(tcp|tls)$/i.test(verb) ? verb : 'http')).toLowerCase()
  const known = schemes.find((one) => one === word)
  if (known === undefined) mistakes.push(`--request: only http and https are served, and connections by tcp and tls, not ${word}`)
  return known ?? 'http'
}

/** `end-user: jason` and `end-user:jason`; an empty value is one too. */
function parseHeader(text: string, mistakes: string[]): readonly [string, string] {
  const colon = text.indexOf(':')
  const name = text.slice(0, colon).trim().toLowerCase()
  if (colon < 0 || !/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) {
    mistakes.push(`--header must be NAME:VALUE such as 'end-user: jason', not ${JSON.stringify(text)}`)
  }
  return [name, text.slice(colon + 1).trim()]
}
