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
import { openServerCertificate } from './server-certificate.ts'
import type { ServerCertificate, ServerNames } from './server-certificate.ts'
import { validityWithin } from './validity.ts'

const day = 86_400_000

export interface CaOptions {
  readonly stateDir: string
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
  /** PEM bundle: what everybody in the mesh trusts. */
  readonly roots: string
  /**
   * Vouches that the request's key belongs to `identity`, whatever the request says. A lifetime of zero leaves it to the
   * CA. Throws `x509/...` for a bad request, `ca/ttl` for a lifetime that nobody gets, `ca/expired`.
   */
  sign(requestPem: string, identity: SpiffeId, lifetimeMs: number): SignedCertificate
  /** A certificate for the control plane's own port, renewed until it is closed. */
  serverCertificate(names?: Partial<ServerNames>): ServerCertificate
}

export async function openCa(options: CaOptions): Promise<Ca> {
  const { stateDir, trustDomain, lifetimeMs = day, maxRequestedMs = 90 * day, rootLifetimeMs = 3650 * day, clock = systemClock, log } = options
  const root = await openRoot({ stateDir, trustDomain, lifetimeMs: rootLifetimeMs, clock })
  return {
    trustDomain,
    roots: root.pem,
    sign(requestPem, identity, requestedMs) {
      const { spki } = readRequest(requestPem)
      if (requestedMs > maxRequestedMs) {
        throw caError('ca/ttl', `a lifetime of ${Math.round(requestedMs / 1000)} s was asked for, at most ${Math.round(maxRequestedMs / 1000)} s may be`)
      }
      const validity = validityWithin(root, clock.now(), requestedMs > 0 ? Math.min(requestedMs, lifetimeMs) : lifetimeMs)
      const { pem, serial } = issueWorkload(root, spki, formatSpiffeId(identity), validity)
      return { chain: [pem], serial, notAfter: validity.notAfter }
    },
    serverCertificate: (names) => openServerCertificate({ root, clock, lifetimeMs, names: names ?? {}, log: log ?? (() => {}) }),
  }
}
