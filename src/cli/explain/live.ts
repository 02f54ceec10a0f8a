// `trysail explain --proxy`: the answer of a running proxy, by what it has accepted and what it knows of its endpoints now.
// It does not know what the other end refuses, nor what it was never sent.
import { parseAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Explanation } from '../../proxy/explain.ts'
import { inOrder } from './answer.ts'
import type { Answer } from './answer.ts'
import { fetchJson } from '../fetch-json.ts'
import type { AskedRequest } from '../request-line.ts'

export async function liveAnswer(admin: Address, name: string, asked: AskedRequest): Promise<Answer> {
  const { method, scheme, host, port, authority, path, headers, sni } = asked
  const query = new URLSearchParams({ method, scheme, authority, ...(path !== '' && { path }), ...(sni !== undefined && { sni }), ...destinationIn(asked) })
  for (const [header, value] of headers) query.append('header', `${header}: ${value}`)
  const explained = await fetchJson(admin, `/explain?${query.toString()}`) as Explanation
  return inOrder({
    ...explained, from: name, resolvesTo: null,
    request: { method, scheme, host, port: port ?? (scheme === 'https' ? 443 : 80), authority, path, headers: Object.fromEntries(headers) },
    policy: explained.policy === null ? null : { ...explained.policy, peerAuthentication: null },
    denied: explained.denied ?? null,
  })
}

/** The authority may be another one (a header Host); where the client connects is what the URL says. */
function destinationIn({ host, port, scheme }: AskedRequest): { readonly destination?: string } {
  const text = `${host.includes(':') ? `[${host}]` : host}:${port ?? (scheme === 'https' ? 443 : 80)}`
  const address = parseAddress(text)
  return address === undefined || !/^[\d.]+$|:/.test(address.host) ? {} : { destination: text }
}
