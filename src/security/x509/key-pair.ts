// Whether a certificate chain and a private key from elsewhere can be shown together. What is wrong is said without any of
// the key.
import { createPrivateKey } from 'node:crypto'
import { describe } from '../../lib/errors.ts'
import { x509Error } from './errors.ts'
import { readCertificate } from './issuer.ts'
import { splitCertificates } from './pem.ts'

/** Undefined when nothing is. */
export function keyPairProblem(chain: string, key: string): string | undefined {
  const [leaf, ...above] = splitCertificates(chain)
  if (leaf === undefined) return 'there is no certificate in PEM'
  try {
    above.forEach(readCertificate)
    const certificate = readCertificate(leaf)
    return certificate.checkPrivateKey(privateKey(key)) ? undefined : 'the key does not belong to the certificate'
  } catch (error) {
    return describe(error)
  }
}

/** Undefined when every certificate of a bundle can be read, and there is one. Of revocation lists, empty for none, only the form is looked at. */
export function bundleProblem(roots: string, lists = ''): string | undefined {
  const certificates = splitCertificates(roots)
  if (certificates.length === 0) return 'there is no certificate in PEM'
  if (lists !== '' && !revocationList.test(lists)) return 'the revocation list is not PEM: a block X509 CRL is expected'
  try {
    certificates.forEach(readCertificate)
    return undefined
  } catch (error) {
    return describe(error)
  }
}

const revocationList = /-----BEGIN X509 CRL-----[A-Za-z0-9+/=\s]+-----END X509 CRL-----/

/** OpenSSL's own messages say nothing of use here. */
function privateKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem)
  } catch {
    throw x509Error('x509/key', 'the private key cannot be read: PEM without a passphrase is expected')
  }
}
