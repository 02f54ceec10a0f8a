// Writes heads and trailers as header blocks. What HPACK has an entry for in its static table goes out as that one byte.
import type { HeaderList } from '../header-list.ts'
import type { HpackEncoder } from '../hpack/encoder.ts'

// Indexes of the static table (RFC 7541, appendix A).
const methodGet = 2
const methodPost = 3
const pathRoot = 4
const schemeHttp = 6
const schemeHttps = 7
const status200 = 8

export function writeRequest(encoder: HpackEncoder, method: string, scheme: string, authority: string, path: string, protocol: string, headers: HeaderList): void {
  if (method === 'GET') encoder.indexed(methodGet)
  else if (method === 'POST') encoder.indexed(methodPost)
  else encoder.field(':method', method, false)
  // CONNECT without a protocol has neither (RFC 9113 §8.5).
  if (method !== 'CONNECT' || protocol !== '') {
    if (scheme === 'https') encoder.indexed(schemeHttps)
    else if (scheme === 'http') encoder.indexed(schemeHttp)
    else encoder.field(':scheme', scheme, false)
    if (path === '/') encoder.indexed(pathRoot)
    else encoder.literal(pathRoot, path)
  }
  if (protocol !== '') encoder.field(':protocol', protocol, false)
  if (authority !== '') encoder.field(':authority', authority, false)
  writeFields(encoder, headers)
}

export function writeResponse(encoder: HpackEncoder, status: number, headers: HeaderList): void {
  if (status === 200) encoder.indexed(status200)
  else encoder.field(':status', String(status), false)
  writeFields(encoder, headers)
}

export function writeFields(encoder: HpackEncoder, headers: HeaderList): void {
  const { flat, sensitive } = headers
  if (sensitive === undefined) {
    for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!, false)
    return
  }
  for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!, sensitive.includes(flat[i]!))
}
