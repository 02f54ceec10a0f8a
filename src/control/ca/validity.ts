// From when until when a certificate of this CA is valid.
import type { Validity } from '../../security/x509/issue.ts'
import type { Issuer } from '../../security/x509/issuer.ts'
import { caError } from './errors.ts'

/** Certificates begin a little in the past, for clocks that are behind (Istio: 2 minutes). */
export const backdateMs = 120_000

/** Never longer than the root. */
export function validityWithin(root: Issuer, now: number, lifetimeMs: number): Validity {
  if (now >= root.notAfter) throw caError('ca/expired', `the root expired on ${new Date(root.notAfter).toISOString()}: nothing can be signed`)
  return { notBefore: Math.max(root.notBefore, now - backdateMs), notAfter: Math.min(root.notAfter, now + lifetimeMs) }
}
