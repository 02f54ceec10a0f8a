// Nonces of one stream: what a client says back to tell which response it has taken or refused.
import { randomBytes } from 'node:crypto'

/** Unlike those of any other stream, so that a client that has come back is not mistaken for one that answers. */
export function createNonces(): () => string {
  const stream = randomBytes(6).toString('base64url')
  let count = 0
  return () => `${stream}-${++count}`
}
