// A JSON Web Key Set (RFC 7517) as keys that can check signatures. Keys that cannot, such as those for encryption, are
// passed over: one of them must not take the others along. Private parts, should somebody publish them, are dropped.
import { X509Certificate, createPublicKey, createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe } from '../../lib/errors.ts'
import type { Claims } from './token.ts'
import { own } from './token.ts'

/** An issuer has a few keys; a token that names none may be tried with all of them. */
const maxKeys = 100
/** Of the document. */
export const maxKeySetBytes = 1024 * 1024

export interface VerificationKey {
  /** Empty for none, as is the algorithm: the key then serves all of its type. */
  readonly keyId: string
  readonly algorithm: string
  readonly type: 'RSA' | 'EC' | 'OKP' | 'oct'
  readonly key: KeyObject
}

export interface KeySet {
  readonly keys: readonly VerificationKey[]
  /** What was passed over, one sentence each; with no keys at all, why. */
  readonly problems: readonly string[]
}

/** Never throws: a document that is none is a set without keys. */
export function readKeySet(text: string): KeySet {
  const document = readDocument(text)
  if (typeof document === 'string') return { keys: [], problems: [document] }
  const listed = own(document, 'keys')
  if (listed === undefined) return readCertificates(document)
  if (!Array.isArray(listed)) return { keys: [], problems: ['keys is not a list'] }
  const keys: VerificationKey[] = []
  const problems: string[] = []
  for (const [index, one] of listed.slice(0, maxKeys).entries()) {
    const key = readKey(one)
    if (typeof key === 'string') problems.push(`key ${index}: ${key}`)
    else keys.push(key)
  }
  if (listed.length > maxKeys) problems.push(`of ${listed.length} keys only the first ${maxKeys} are used`)
  return { keys, problems: listed.length === 0 ? ['it has no keys'] : problems }
}

function readDocument(text: string): Claims | string {
  if (Buffer.byteLength(text) > maxKeySetBytes) return `it has more than ${maxKeySetBytes} bytes`
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : 'it is no JSON object'
  } catch {
    return 'it is no JSON'
  }
}

const signing: Readonly<Record<VerificationKey['type'], RegExp>> = { RSA: /^[RP]S(256|384|512)$/, EC: /^ES(256|384|512)$/, OKP: /^EdDSA$/, oct: /^HS(256|384|512)$/ }

function readKey(value: unknown): VerificationKey | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is no object'
  const fields = value as Claims
  const type = own(fields, 'kty')
  if (type !== 'RSA' && type !== 'EC' && type !== 'OKP' && type !== 'oct') return `kty ${JSON.stringify(type)} is not one of RSA, EC, OKP, oct`
  const algorithm = textOf(fields, 'alg')
  if (algorithm !== '' && !signing[type].test(algorithm)) return `alg ${algorithm} is not for signatures of a ${type} key`
  if (own(fields, 'use') === 'enc') return 'is for encryption'
  try {
    return { keyId: textOf(fields, 'kid'), algorithm, type, key: importKey(type, fields) }
  } catch (error) {
    return describe(error)
  }
}

function importKey(type: VerificationKey['type'], fields: Claims): KeyObject {
  if (type === 'oct') return createSecretKey(Buffer.from(textOf(fields, 'k'), 'base64url'))
  const { d: _private, ...rest } = fields
  return createPublicKey({ key: { ...rest, kty: type }, format: 'jwk' })
}

function textOf(fields: Claims, name: string): string {
  const value = own(fields, name)
  return typeof value === 'string' ? value : ''
}

/** Certificates by key id, as some issuers publish them: `{"ID": "-----BEGIN CERTIFICATE-----..."}`. */
function readCertificates(document: Claims): KeySet {
  const entries = Object.entries(document)
  if (entries.length === 0 || !entries.every(([, value]) => typeof value === 'string')) return { keys: [], problems: ['it has no field keys'] }
  const keys: VerificationKey[] = []
  const problems: string[] = []
  for (const [keyId, pem] of entries.slice(0, maxKeys)) {
    try {
      keys.push({ keyId, algorithm: '', type: 'RSA', key: new X509Certificate(String(pem)).publicKey })
    } catch (error) {
      problems.push(`${keyId}: ${describe(error)}`)
    }
  }
  return { keys, problems }
}
