// PEM (RFC 7468): DER as text. Strict about what it reads: one block, of the label that is expected.
import { x509Error } from './errors.ts'

/** Larger than any request or certificate that a mesh uses (an RSA-8192 request has 3 KB). */
export const maxPemLength = 64 * 1024

export type PemLabel = 'CERTIFICATE' | 'CERTIFICATE REQUEST'

/** Lines of 64 without an empty last one, which OpenSSL refuses. */
export function toPem(label: PemLabel, der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The DER of the only block. `NEW CERTIFICATE REQUEST` is read too: old tools write it. */
export function fromPem(label: PemLabel, text: string): Buffer {
  if (text.length > maxPemLength) throw x509Error('x509/pem', `the ${label} has more than ${maxPemLength} characters`)
  const match = /^\s*-----BEGIN ([A-Z ]+)-----\r?\n([A-Za-z0-9+/=\s]*)-----END ([A-Z ]+)-----\s*$/.exec(text)
  if (match === null) throw x509Error('x509/pem', `not a PEM block: a line BEGIN ${label}, base64, a line END ${label} are expected`)
  const [, begin = '', body = '', end = ''] = match
  if (begin !== end || begin.replace(/^NEW /, '') !== label) throw x509Error('x509/pem', `a PEM block ${label} is expected, this is ${begin}`)
  return Buffer.from(body, 'base64')
}

/** Each certificate of a bundle as PEM of its own, ending in a line break. */
export function splitCertificates(bundle: string): readonly string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => `${block}\n`)
}
