// What can be wrong with certificates, requests and keys that come from outside.
import { MeshError } from '../../lib/errors.ts'

export type X509Code =
  | 'x509/der'       // not DER, or not the structure that it should be
  | 'x509/pem'
  | 'x509/csr'       // a request that is well formed, but that nobody should sign
  | 'x509/key'       // a key that cannot be used
  | 'x509/mismatch'  // key and certificate are not a pair
  | 'x509/expired'

export type X509Error = MeshError<X509Code>

export function x509Error(code: X509Code, message: string, cause?: unknown): X509Error {
  return new MeshError(code, message, cause)
}
