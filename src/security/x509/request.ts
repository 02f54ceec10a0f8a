// Certificate signing requests (PKCS #10, RFC 2986): made for a SPIFFE id, and read from strangers. A request proves that
// its sender has the key; whom the key belongs to is never taken from it.
import { sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { DerReader } from './der-reader.ts'
import { bitString, explicit, oid, sequence, set, tags, unsigned } from './der-writer.ts'
import { x509Error } from './errors.ts'
import { altNames, findExtension } from './extensions.ts'
import { publicKeyInfo, readPublicKey, signatureAlgorithm } from './key.ts'
import { decodeAltNames, distinguishedName } from './names.ts'
import type { AltNames } from './names.ts'
import { oids, signatureHashes } from './object-identifiers.ts'
import { fromPem, toPem } from './pem.ts'

export interface CertificateRequest {
  readonly publicKey: KeyObject
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
  /** What the sender would like to be called. */
  readonly asked: AltNames
}

/** PEM. Subject empty, the id as the only alternative name, as Istio's agent does. */
export function createRequest(key: KeyObject, uri: string): string {
  const extensions = sequence(altNames({ uris: [uri], dnsNames: [], addresses: [] }))
  const attributes = explicit(0, sequence(oid(oids.extensionRequest), set(extensions)))
  const info = sequence(unsigned(Buffer.from([0])), distinguishedName(undefined), publicKeyInfo(key), attributes)
  return toPem('CERTIFICATE REQUEST', sequence(info, signatureAlgorithm(key), bitString(sign('sha256', info, key))))
}

/** Reads PEM and checks the signature by the request's own key (proof of possession). Throws nothing but X509Errors. */
export function readRequest(pem: string): CertificateRequest {
  const outer = new DerReader(fromPem('CERTIFICATE REQUEST', pem), 'certificate request')
  const whole = outer.sequence()
  outer.end()
  const info = whole.take(tags.sequence)
  const algorithm = whole.sequence('signature algorithm').oid()
  const signature = whole.bitString()
  whole.end()
  const { spki, asked } = readInfo(info.content)
  const publicKey = readPublicKey(spki)
  checkPossession(info.whole, algorithm, signature, publicKey)
  return { publicKey, spki, asked }
}

function readInfo(content: Buffer): { readonly spki: Buffer; readonly asked: AltNames } {
  const info = new DerReader(content, 'certificate request')
  const version = info.take(tags.integer).content
  if (version.length !== 1 || version[0] !== 0) throw x509Error('x509/csr', 'the certificate request has an unknown version')
  info.take(tags.sequence) // the subject: not trusted, not used
  const spki = info.take(tags.sequence).whole
  const asked = info.done ? noNames : readAttributes(info.enter(0xa0))
  info.end()
  return { spki, asked }
}

const noNames: AltNames = { uris: [], dnsNames: [], addresses: [] }

function readAttributes(attributes: DerReader): AltNames {
  while (!attributes.done) {
    const attribute = attributes.sequence('attribute of the request')
    if (attribute.oid() !== oids.extensionRequest) continue
    const found = findExtension(attribute.enter(tags.set).sequence(), oids.subjectAltName)
    return found === undefined ? noNames : decodeAltNames(found)
  }
  return noNames
}

function checkPossession(signed: Buffer, algorithm: string, signature: Buffer, key: KeyObject): void {
  const known = signatureHashes.get(algorithm)
  if (known === undefined || known.key !== key.asymmetricKeyType) {
    throw x509Error('x509/csr', `requests signed by algorithm ${algorithm} are not taken: use ECDSA or RSA with SHA-256, SHA-384 or SHA-512`)
  }
  if (!verified(known.hash, signed, key, signature)) throw x509Error('x509/csr', 'the signature of the request does not fit its key')
}

function verified(hash: string, signed: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(hash, signed, key, signature)
  } catch (error) {
    throw x509Error('x509/csr', 'the signature of the request cannot be checked', error)
  }
}
