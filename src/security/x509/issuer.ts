// A CA's certificate and key, read from PEM and checked to be a pair that may sign.
import { X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { DerReader } from './der-reader.ts'
import { tags } from './der-writer.ts'
import { x509Error } from './errors.ts'
import { findExtension } from './extensions.ts'
import { importKey, keyIdentifier, signatureAlgorithm } from './key.ts'
import { oids } from './object-identifiers.ts'
import { fromPem } from './pem.ts'

export interface Issuer {
  readonly pem: string
  readonly key: KeyObject
  /** Its name, DER: the issuer of all that it signs. */
  readonly subject: Buffer
  readonly keyId: Buffer
  readonly notBefore: number
  readonly notAfter: number
}

export function openIssuer(pem: string, keyPem: string): Issuer {
  const certificate = readCertificate(pem)
  if (!certificate.ca) throw x509Error('x509/key', 'the certificate is not one of a CA (basicConstraints)')
  const key = importKey(keyPem)
  signatureAlgorithm(key)
  if (!certificate.checkPrivateKey(key)) throw x509Error('x509/mismatch', 'the key does not belong to the certificate')
  const { subject, keyId } = readIdentity(certificate.raw)
  return { pem, key, subject, keyId, ...validityOf(certificate) }
}

/** One certificate; a bundle is an error. */
export function readCertificate(pem: string): X509Certificate {
  const der = fromPem('CERTIFICATE', pem)
  try {
    return new X509Certificate(der)
  } catch (error) {
    throw x509Error('x509/der', 'the certificate cannot be read', error)
  }
}

export function validityOf(certificate: X509Certificate): { readonly notBefore: number; readonly notAfter: number } {
  return { notBefore: Date.parse(certificate.validFrom), notAfter: Date.parse(certificate.validTo) }
}

/** Node does not give the subject as it is encoded, nor the identifier of the key. */
function readIdentity(der: Buffer): { readonly subject: Buffer; readonly keyId: Buffer } {
  const body = new DerReader(der, 'certificate').sequence().sequence()
  if (body.next === 0xa0) body.any() // version
  body.take(tags.integer) // serial
  body.take(tags.sequence) // algorithm
  body.take(tags.sequence) // issuer
  body.take(tags.sequence) // validity
  const subject = body.take(tags.sequence).whole
  const spki = body.take(tags.sequence).whole
  while (!body.done && body.next !== 0xa3) body.any() // unique ids
  const found = body.done ? undefined : findExtension(body.enter(0xa3).sequence(), oids.subjectKeyIdentifier)
  return { subject, keyId: found === undefined ? keyIdentifier(spki) : new DerReader(found, 'key identifier').take(tags.octetString).content }
}
