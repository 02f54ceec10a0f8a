// Tokens for tests, signed by node's own crypto with keys made once in each process.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export type Algorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA' | 'HS256'

export interface Signer {
  readonly keyId: string
  readonly algorithm: Algorithm
  /** As it stands in a key set. */
  readonly jwk: Readonly<Record<string, unknown>>
  /** `header` adds to `alg` and `kid`, or takes them away with undefined. */
  token(claims: object, header?: object): string
}

export const base64url = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export const keySetOf = (...signers: readonly Signer[]): string => JSON.stringify({ keys: signers.map(({ jwk }) => jwk) })

export function createSigner(keyId: string, algorithm: Algorithm = 'RS256'): Signer {
  const { jwk, signature } = keyFor(algorithm)
  return {
    keyId, algorithm,
    jwk: { ...jwk, kid: keyId, alg: algorithm },
    token(claims, header = {}) {
      const signed = `${base64url({ alg: algorithm, kid: keyId, typ: 'JWT', ...header })}.${base64url(claims)}`
      return `${signed}.${signature(Buffer.from(signed)).toString('base64url')}`
    },
  }
}

interface Key {
  readonly jwk: object
  readonly signature: (bytes: Buffer) => Buffer
}

function keyFor(algorithm: Algorithm): Key {
  switch (algorithm) {
    case 'RS256': return pair(generateKeyPairSync('rsa', { modulusLength: 2048 }), (key, bytes) => sign('sha256', bytes, key))
    case 'PS256': return pair(generateKeyPairSync('rsa', { modulusLength: 2048 }), (key, bytes) => sign('sha256', bytes, { key, padding: 6, saltLength: 32 }))
    case 'ES256': return pair(generateKeyPairSync('ec', { namedCurve: 'P-256' }), (key, bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }))
    case 'EdDSA': return pair(generateKeyPairSync('ed25519'), (key, bytes) => sign(null, bytes, key))
    case 'HS256': {
      const secret = 'a secret that only the issuer and we know'
      return { jwk: { kty: 'oct', k: base64url(secret) }, signature: (bytes) => createHmac('sha256', secret).update(bytes).digest() }
    }
  }
}

function pair({ publicKey, privateKey }: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }, signature: (key: KeyObject, bytes: Buffer) => Buffer): Key {
  return { jwk: publicKey.export({ format: 'jwk' }), signature: (bytes) => signature(privateKey, bytes) }
}
