// From when until when a certificate is valid, read from its leaf.
import { readCertificate, validityOf } from '../../security/x509/issuer.ts'
import type { Validity } from '../../security/x509/issue.ts'
import { splitCertificates } from '../../security/x509/pem.ts'
import type { CertificateSecret } from './secrets.ts'

/** Throws an X509Error for what is no certificate. */
export function expiryOf({ chain }: CertificateSecret): Validity {
  return validityOf(readCertificate(splitCertificates(chain)[0] ?? ''))
}
