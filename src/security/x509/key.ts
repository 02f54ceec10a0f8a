// Keys: making them, and the rules that a key must meet before it is vouched for.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { DerReader } from './der-reader.ts'
import { nothing, oid, sequence } from './der-writer.ts'
import { x509Error } from './errors.ts'
import { oids } from './object-identifiers.ts'

/** ECDSA P-256; takes some hundredths of a millisecond. */
export function generateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
}

/** PKCS#8 PEM. */
export function exportKey(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString()
}

export function importKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    throw x509Error('x509/key', 'not a private key in PEM', error)
  }
}

/** SubjectPublicKeyInfo, DER. */
export function publicKeyInfo(key: KeyObject): Buffer {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' })
}

/** RFC 5280 4.2.1.2, method 1: SHA-1 of the key's bits. A name, not a protection. */
export function keyIdentifier(spki: Buffer): Buffer {
  const info = new DerReader(spki, 'public key').sequence()
  info.any()
  return createHash('sha1').update(info.bitString()).digest()
}

/** Reads a stranger's public key. Weak, huge and exotic ones are refused: we would vouch for them. */
export function readPublicKey(spki: Buffer): KeyObject {
  const key = importPublicKey(spki)
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  const ec = key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve)
  const rsa = key.asymmetricKeyType === 'rsa' && modulusLength >= 2048 && modulusLength <= 8192
  if (ec || rsa) return key
  const shown = [key.asymmetricKeyType, namedCurve, modulusLength || ''].filter((part) => part !== '').join(' ')
  throw x509Error('x509/key', `keys of this kind are not signed: ${shown}; use EC P-256, P-384, P-521 or RSA of 2048 to 8192 bits`)
}

function importPublicKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (error) {
    throw x509Error('x509/key', 'the public key cannot be read', error)
  }
}

/** AlgorithmIdentifier of what `sign('sha256', ..., key)` makes. */
export function signatureAlgorithm(key: KeyObject): Buffer {
  switch (key.asymmetricKeyType) {
    case 'ec': return sequence(oid(oids.ecdsaWithSha256))
    case 'rsa': return sequence(oid(oids.sha256WithRsa), nothing)
    default: throw x509Error('x509/key', `cannot sign with a key of kind ${key.asymmetricKeyType ?? 'unknown'}: use EC or RSA`)
  }
}
