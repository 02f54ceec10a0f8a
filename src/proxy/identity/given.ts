// An identity that comes from elsewhere as PEM: on machines that get their certificates in files, and in tests. Reading
// and watching the files is left to the caller.
import { createPrivateKey } from 'node:crypto'
import { MeshError } from '../../lib/errors.ts'
import { readCertificate } from '../../security/x509/issuer.ts'
import { splitCertificates } from '../../security/x509/pem.ts'
import type { CertificateSecret, Secrets, TrustSecret } from './secrets.ts'
import { SecretListeners } from './secret-listeners.ts'

export interface GivenCertificates {
  /** PEM: leaf first. */
  readonly chain: string
  readonly key: string
  readonly roots: string
  readonly crl?: string
}

export interface GivenIdentity extends Secrets {
  /** Throws `identity/given` and keeps what it has when the new ones do not fit together. */
  replace(next: GivenCertificates): void
}

/** Throws `identity/given` when certificate, key and roots cannot be used together. */
export function givenIdentity(first: GivenCertificates): GivenIdentity {
  const listeners = new SecretListeners()
  let current = checked(first)
  return {
    certificate: (name): CertificateSecret | undefined => (name === 'default' ? { chain: current.chain, key: current.key } : undefined),
    trust: (name): TrustSecret | undefined => (name === 'ROOTCA' ? { roots: current.roots, crl: current.crl ?? '' } : undefined),
    onChange: (changed) => listeners.add(changed),
    replace(next) {
      current = checked(next)
      listeners.tell('default')
      listeners.tell('ROOTCA')
    },
  }
}

function checked(given: GivenCertificates): GivenCertificates {
  try {
    const leaf = readCertificate(splitCertificates(given.chain)[0] ?? '')
    if (!leaf.checkPrivateKey(createPrivateKey(given.key))) throw new MeshError('identity/given', 'the key does not belong to the certificate')
    const roots = splitCertificates(given.roots)
    if (roots.length === 0) throw new MeshError('identity/given', 'there are no roots')
    roots.forEach(readCertificate)
    return given
  } catch (error) {
    throw new MeshError('identity/given', 'the given certificate, key and roots cannot be used', error)
  }
}
