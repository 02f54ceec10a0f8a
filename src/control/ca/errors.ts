// Why the CA cannot start, or does not sign.
import { MeshError } from '../../lib/errors.ts'

export type CaCode =
  | 'ca/state'    // its files are missing, unreadable, or open to others
  | 'ca/expired'  // the root is over
  | 'ca/ttl'      // a lifetime was asked for that nobody gets

export type CaError = MeshError<CaCode>

export function caError(code: CaCode, message: string, cause?: unknown): CaError {
  return new MeshError(code, message, cause)
}
