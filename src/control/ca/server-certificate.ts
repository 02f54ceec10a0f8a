// The certificate that the control plane shows on its TLS port, renewed with a new key before half of its life is over.
// Whoever listens takes it for new connections; the old ones go on.
import type { Clock } from '../../lib/clock.ts'
import { callAt } from '../../lib/call-at.ts'
import { createBackoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { issueServer } from '../../security/x509/issue.ts'
import { exportKey, generateKey, publicKeyInfo } from '../../security/x509/key.ts'
import type { SigningSource } from './root.ts'
import { validityWithin } from './validity.ts'

export interface ServerNames {
  /** Beside those that istiod answers to and localhost. */
  readonly dnsNames: readonly string[]
  /** Beside loopback. */
  readonly addresses: readonly string[]
}

/** PEM: leaf with what is above it, key, and the roots and revocations by which clients' certificates are verified. */
export interface ServedIdentity {
  readonly chain: string
  readonly key: string
  readonly roots: string
  readonly crl: string
}

export interface ServerCertificate {
  current(): ServedIdentity
  /** The result ends it. */
  onChange(listener: () => void): () => void
  close(): void
}

/** What Istio's proxies, and ours, look for. */
const ownDnsNames = ['istiod.istio-system.svc', 'istiod.istio-system', 'istiod', 'istio-pilot.istio-system.svc', 'localhost']
const ownAddresses = ['127.0.0.1', '::1']

/** Of the lifetime: before half, also when the first tries fail. */
const renewAfter = 0.45

export interface ServerCertificateOptions {
  readonly signing: SigningSource
  readonly clock: Clock
  readonly lifetimeMs: number
  readonly names: Partial<ServerNames>
  readonly log: (line: string) => void
}

export function openServerCertificate(options: ServerCertificateOptions): ServerCertificate {
  return new RenewedCertificate(options, issue(options))
}

class RenewedCertificate implements ServerCertificate {
  #current: ServedIdentity
  readonly #options: ServerCertificateOptions
  readonly #listeners = new Set<() => void>()
  readonly #backoff = createBackoff({ firstMs: 1000, maxMs: 60_000 })
  #cancel: () => void = () => {}
  readonly #forget: () => void

  constructor(options: ServerCertificateOptions, first: ServedIdentity) {
    this.#options = options
    this.#current = first
    this.#schedule(options.lifetimeMs * renewAfter)
    this.#forget = options.signing.onChange(() => this.#renew())
  }

  current(): ServedIdentity {
    return this.#current
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#cancel()
    this.#forget()
    this.#listeners.clear()
  }

  #schedule(ms: number): void {
    const { clock } = this.#options
    this.#cancel = callAt(clock, clock.now() + ms, () => this.#renew())
  }

  #renew(): void {
    this.#cancel()
    try {
      this.#current = issue(this.#options)
    } catch (error) {
      this.#options.log(`cannot renew the control plane's certificate: ${describe(error)}`)
      return this.#schedule(this.#backoff.next())
    }
    this.#backoff.reset()
    this.#schedule(this.#options.lifetimeMs * renewAfter)
    for (const listener of this.#listeners) listener()
  }
}

function issue({ signing, clock, lifetimeMs, names }: ServerCertificateOptions): ServedIdentity {
  const key = generateKey()
  const all = {
    dnsNames: [...new Set([...ownDnsNames, ...(names.dnsNames ?? [])])],
    addresses: [...new Set([...ownAddresses, ...(names.addresses ?? [])])],
  }
  const { issuer, chain, roots, crl } = signing.current
  const { pem } = issueServer(issuer, publicKeyInfo(key), all, validityWithin(issuer, clock.now(), lifetimeMs))
  return { chain: [pem, ...chain].join(''), key: exportKey(key), roots, crl }
}
