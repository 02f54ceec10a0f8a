// Whether a token was signed by one of an issuer's keys. Which key is tried follows Envoy: the one that the token names, or
// all that may be meant; `jose` checks the signature itself (decision 0011).
import { compactVerify } from 'jose/jws/compact/verify'
import type { JwtFailure } from './failure.ts'
import type { KeySet, VerificationKey } from './key-set.ts'
import { own } from './token.ts'
import type { Token } from './token.ts'

/** Undefined: the signature is right. */
export async function signatureFailure(token: Token, { keys }: KeySet): Promise<JwtFailure | undefined> {
  if (keys.length === 0) return 'noKeys'
  // A JSON Web Token's payload is always encoded (RFC 7797 section 7): whoever says otherwise means another payload than we read.
  if (own(token.header, 'b64') !== undefined) return 'wrongSignature'
  const meant = keys.filter((key) => isMeant(key, token))
  if (meant.length === 0) return 'noMatchingKey'
  for (const key of meant) {
    if (key.type === 'OKP' && token.signatureBytes !== 64) return 'signatureLength'
    if (isOfType(key, token.algorithm) && (await isSignedBy(key, token))) return undefined
  }
  return 'wrongSignature'
}

function isMeant(key: VerificationKey, { keyId, algorithm }: Token): boolean {
  if (keyId !== '' && key.keyId !== '' && key.keyId !== keyId) return false
  return key.algorithm === '' || key.algorithm === algorithm
}

const families: Readonly<Record<VerificationKey['type'], readonly string[]>> = { RSA: ['RS', 'PS'], EC: ['ES'], OKP: ['Ed'], oct: ['HS'] }

/** What is checked as a signature must never be a public key used as a shared secret, or the like. */
const isOfType = ({ type }: VerificationKey, algorithm: string): boolean => families[type].includes(algorithm.slice(0, 2))

async function isSignedBy({ key }: VerificationKey, { text, algorithm }: Token): Promise<boolean> {
  try {
    await compactVerify(text, key, { algorithms: [algorithm] })
    return true
  } catch {
    // Whatever does not verify is not signed by this key: the next one may be the right one.
    return false
  }
}
