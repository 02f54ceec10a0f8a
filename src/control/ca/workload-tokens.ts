// Tokens of the platform that workloads run on: JSON Web Tokens of Kubernetes' shape, whose subject is
// `system:serviceaccount:NAMESPACE:ACCOUNT`, signed with keys that stand in a file (security spec 1.3). Who shows one that is
// for this CA is who the token says.
import { stat } from 'node:fs/promises'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { failureText } from '../../security/jwt/failure.ts'
import { readKeySet } from '../../security/jwt/key-set.ts'
import type { KeySet } from '../../security/jwt/key-set.ts'
import { isToken, own, readToken, timeFailure } from '../../security/jwt/token.ts'
import { signatureFailure } from '../../security/jwt/verify.ts'
import { caError } from './errors.ts'
import { readPresentFile } from './state-folder.ts'
import type { TokenVerdict } from './tokens.ts'

/** Clocks of a cluster agree better than those of the world. */
const leewaySeconds = 10

export interface WorkloadTokensOptions {
  readonly issuer: string
  /** One of them must be among the token's. */
  readonly audiences: readonly string[]
  /** A JSON Web Key Set; read again when it has changed. */
  readonly keysFile: string
  readonly trustDomain: string
  readonly clock?: Clock
}

export interface WorkloadTokens {
  /** Whether a token says that it is of this issuer: others may know it. */
  claims(token: string): boolean
  verify(token: string): Promise<TokenVerdict>
}

/** Throws `ca/state` when the keys cannot be read. */
export async function openWorkloadTokens(options: WorkloadTokensOptions): Promise<WorkloadTokens> {
  const { issuer, audiences, keysFile, trustDomain, clock = systemClock } = options
  const keys = await followedKeys(keysFile)
  return {
    claims(text) {
      const token = readToken(text)
      return isToken(token) && token.issuer === issuer
    },
    async verify(text) {
      const token = readToken(text)
      if (!isToken(token)) return { refused: failureText(token) }
      if (token.issuer !== issuer) return { refused: failureText('unknownIssuer') }
      if (token.expires === 0) return { refused: 'the token never expires, which is not taken here' }
      const failure = timeFailure(token, Math.floor(clock.now() / 1000), leewaySeconds)
      if (failure !== undefined) return { refused: failureText(failure) }
      if (!token.audiences.some((one) => audiences.includes(one))) return { refused: `the token is not for ${audiences.join(' or ')}` }
      const wrong = await signatureFailure(token, await keys())
      if (wrong !== undefined) return { refused: failureText(wrong) }
      const [, namespace, serviceAccount] = /^system:serviceaccount:([^:/]+):([^:/]+)$/.exec(String(own(token.payload, 'sub'))) ?? []
      if (namespace === undefined || serviceAccount === undefined) return { refused: 'the token is not of a service account: its subject must be system:serviceaccount:NAMESPACE:ACCOUNT' }
      return { identity: { trustDomain, namespace, serviceAccount } }
    },
  }
}

/** While the file cannot be read, the last keys that could be. */
async function followedKeys(file: string): Promise<() => Promise<KeySet>> {
  let signature = ''
  let keys: KeySet | undefined
  const current = async (): Promise<KeySet> => {
    const found = await stat(file).catch(() => undefined)
    const now = found === undefined ? '' : `${found.mtimeMs} ${found.size} ${found.ino}`
    if (keys !== undefined && (now === '' || now === signature)) return keys
    const next = readKeySet((await readPresentFile(file)) ?? '')
    if (next.keys.length === 0 && keys !== undefined) return keys
    signature = now
    keys = next
    return next
  }
  const first = await current()
  if (first.keys.length === 0) throw caError('ca/state', `the keys of workload tokens in ${file} cannot be used: ${first.problems.slice(0, 3).join('; ')}`)
  return current
}
