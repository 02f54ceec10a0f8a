// The mesh's certificate authority: signs what its callers have authenticated, and the control plane's own certificate.
// Who may have which identity is decided by the service in front of it (control/serve/ca.ts).
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { formatSpiffeId } from '../../model/spiffe-id.ts'
import type { SpiffeId } from '../../model/spiffe-id.ts'
import { issueWorkload } from '../../security/x509/issue.ts'
import { readRequest } from '../../security/x509/request.ts'
import { caError } from './errors.ts'
import { openRoot } from './root.ts'
import type { CaPlace } from './signing.ts'
import { openServerCertificate } from './server-certificate.ts'
import type { ServerCertificate, ServerNames } from './server-certificate.ts'
import { validityWithin } from './validity.ts'

const day = 86_400_000

export interface CaOptions {
  readonly stateDir: string
  /** A CA that somebody else gives, in Istio's layout; undefined: our own root in the state folder. */
  readonly given?: CaPlace | undefined
  readonly trustDomain: string
  /** Of certificates, when none is asked for, and at most. 24 h. */
  readonly lifetimeMs?: number
  /** Who asks for more has made a mistake, and is told so. 90 days, as Istio. */
  readonly maxRequestedMs?: number
  /** Of a root that is made. Ten years, as Istio. */
  readonly rootLifetimeMs?: number
  readonly clock?: Clock
  readonly log?: (line: string) => void
}

export interface SignedCertificate {
  /** PEM, leaf first, without the root. */
  readonly chain: readonly string[]
  readonly serial: string
  /** Milliseconds since the epoch. */
  readonly notAfter: number
}

export interface Ca {
  readonly trustDomain: string
  /** PEM bundle: what everybody in the mesh trusts now. */
  readonly roots: string
  /** PEM: what is revoked; empty for nothing. */
  readonly crl: string
  /** Roots, revocations or the signer are others. The result ends it. */
  onChange(listener: () => void): () => void
  close(): void
  /**
   * Vouches that the request's key belongs to `identity`, whatever the request says. A lifetime of zero leaves it to the
   * CA. Throws `x509/...` for a bad request, `ca/ttl` for a lifetime that nobody gets, `ca/expired`.
   */
  sign(requestPem: string, identity: SpiffeId, lifetimeMs: number): SignedCertificate
  /** A certificate for the control plane's own port, renewed until it is closed. */
  serverCertificate(names?: Partial<ServerNames>): ServerCertificate
}

export async function openCa(options: CaOptions): Promise<Ca> {
  const { stateDir, given, trustDomain, lifetimeMs = day, maxRequestedMs = 90 * day, rootLifetimeMs = 3650 * day, clock = systemClock, log = () => {} } = options
  const signing = await openRoot({ stateDir, given, trustDomain, lifetimeMs: rootLifetimeMs, clock, log })
  return {
    trustDomain,
    get roots() {
      return signing.current.roots
    },
    get crl() {
      return signing.current.crl
    },
    onChange: (listener) => signing.onChange(listener),
    close: () => signing.close(),
    sign(requestPem, identity, requestedMs) {
      const { spki } = readRequest(requestPem)
      if (requestedMs > maxRequestedMs) {
        throw caError('ca/ttl', `a lifetime of ${Math.round(requestedMs / 1000)} s was asked for, at most ${Math.round(maxRequestedMs / 1000)} s may be`)
      }
      const { issuer, chain } = signing.current
      const validity = validityWithin(issuer, clock.now(), requestedMs > 0 ? Math.min(requestedMs, lifetimeMs) : lifetimeMs)
      const { pem, serial } = issueWorkload(issuer, spki, formatSpiffeId(identity), validity)
      return { chain: [pem, ...chain], serial, notAfter: validity.notAfter }
    },
    serverCertificate: (names) => openServerCertificate({ signing, clock, lifetimeMs, names: names ?? {}, log }),
  }
}
