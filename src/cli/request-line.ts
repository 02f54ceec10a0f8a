// Reads the request that a person asks about: 'GET http://reviews:9080/reviews/1?lang=en', and header options.
import { UsageError } from './usage-error.ts'

export interface AskedRequest {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Lower case, without port and brackets. */
  readonly host: string
  /** Undefined when the URL names none. */
  readonly port: number | undefined
  /** As it would stand in Host. */
  readonly authority: string
  /** With the query, as written: normalizing it is the proxy's business. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** A URL with its scheme may stand alone; a bare host may not: `GET` would be one. */
const shape = /^(?:(\S+)\s+|(?=[a-z]+:\/\/))(?:([a-z][a-z0-9+.-]*):\/\/)?([^/?#\s]*)((?:[/?][^#\s]*)?)(?:#\S*)?$/i
const hostAndPort = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]@]+))(?::(\d{1,5}))?$/i

/** Throws `UsageError` with all that is wrong. Without a method it is GET. */
export function parseRequest(line: string, headerOptions: readonly string[]): AskedRequest {
  const mistakes: string[] = []
  const [, method = 'GET', scheme = 'http', at = '', path = ''] = shape.exec(line.trim()) ?? [undefined, 'GET', 'http', '', '']
  const named = hostAndPort.exec(at)
  const port = named?.[3] === undefined ? undefined : Number(named[3])
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(method)) mistakes.push(`--request: ${JSON.stringify(method)} is no method`)
  if (named === null || (port !== undefined && (port === 0 || port > 65_535))) {
    mistakes.push(`--request must be 'METHOD URL' such as 'GET http://reviews:9080/reviews/1', not ${JSON.stringify(line)}`)
  }
  if (scheme !== 'http' && scheme !== 'https') mistakes.push(`--request: only http and https are served, not ${scheme}`)
  const headers = headerOptions.map((text) => parseHeader(text, mistakes))
  if (mistakes.length > 0) throw new UsageError(mistakes)
  const own = headers.find(([name]) => name === 'host')?.[1]
  return {
    method: method.toUpperCase(),
    scheme: scheme === 'https' ? 'https' : 'http',
    host: (named?.[1] ?? named?.[2] ?? '').toLowerCase(),
    port,
    authority: own ?? at,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: headers.filter(([name]) => name !== 'host'),
  }
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
