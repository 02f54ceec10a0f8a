// Names out of a certificate, as node prints them: `DNS:a, URI:"spiffe://a, b", IP Address:1.2.3.4`. Values with
// characters that could be mistaken for separators are JSON strings, so that the text must be parsed and not split.

export interface SubjectAltNames {
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  /** As node prints them: IPv6 without `::`. */
  readonly addresses: readonly string[]
}

const none: SubjectAltNames = { uris: [], dnsNames: [], addresses: [] }

/** What cannot be read ends the list: a name that is not understood must not become another one. */
export function parseSubjectAltNames(text: string | undefined): SubjectAltNames {
  if (text === undefined || text === '') return none
  const uris: string[] = []
  const dnsNames: string[] = []
  const addresses: string[] = []
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(':', at)
    if (colon === -1) break
    const type = text.slice(at, colon)
    const quoted = text[colon + 1] === '"'
    const end = quoted ? closingQuote(text, colon + 1) + 1 : commaFrom(text, colon + 1)
    if (end === 0) break
    const value = quoted ? unquote(text.slice(colon + 1, end)) : text.slice(colon + 1, end)
    if (value === undefined) break
    if (type === 'URI') uris.push(value)
    else if (type === 'DNS') dnsNames.push(value)
    else if (type === 'IP Address') addresses.push(value)
    if (end < text.length && !text.startsWith(', ', end)) break
    at = end + 2
  }
  return { uris, dnsNames, addresses }
}

function commaFrom(text: string, at: number): number {
  const comma = text.indexOf(', ', at)
  return comma === -1 ? text.length : comma
}

/** -1 when the string does not end. */
function closingQuote(text: string, opening: number): number {
  for (let i = opening + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i
  }
  return -1
}

function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
