// The proxy's own identity: keys that are made here and never leave, certificates from the CA, renewed long before they
// end. While the CA is away the old certificate goes on serving; connections that are open never notice.
//
//   waiting ──certificate──> holding ──45..50 % of its life──> renewing ──certificate──> holding
//      └─ failed: backoff ─┘                                      └─ failed: backoff, the old one stays ─┘
import { createBackoff } from '../../lib/backoff.ts'
import { callAt } from '../../lib/call-at.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe, hasCode, MeshError, spawn } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import { formatSpiffeId } from '../../model/spiffe-id.ts'
import type { SpiffeId } from '../../model/spiffe-id.ts'
import { generateKey } from '../../security/x509/key.ts'
import { obtainCertificate } from './ca-client.ts'
import type { CaAddress, Obtained } from './ca-client.ts'
import { SecretListeners } from './secret-listeners.ts'
import type { CertificateSecret, Secrets, TrustSecret } from './secrets.ts'

export interface IdentityOptions {
  readonly id: SpiffeId
  readonly ca: CaAddress
  /** Asked at every order; empty for none. Needed for the first certificate, and always over plaintext. */
  readonly bearer?: () => string
  /** 24 h. */
  readonly lifetimeMs?: number
  /** For one order. 10 s, as Istio's. */
  readonly timeoutMs?: number
  readonly clock?: Clock
  readonly random?: () => number
  readonly log?: (line: string) => void
}

export interface Identity extends Secrets {
  /** The first certificate is there. It may take as long as the CA does: only `close` rejects it, with `identity/closed`. */
  readonly whenReady: Promise<void>
  /** Milliseconds since the epoch; 0 without a certificate. */
  readonly notAfter: number
  close(): void
}

export function openIdentity(options: IdentityOptions): Identity {
  return new RenewedIdentity(options)
}

/** Of what is left of its life when a certificate arrives, a little differently for everyone: proxies that started together part. */
const renewAfter = { least: 0.45, most: 0.5 }
const firstRetryMs = 100
const maxRetryMs = 30_000
/** Who starts a proxy looks at its log for a few seconds: a CA that does not answer is told about before its time is over. */
const silenceMs = 3_000

class RenewedIdentity implements Identity {
  readonly whenReady: Promise<void>
  readonly #options: IdentityOptions
  readonly #uri: string
  readonly #clock: Clock
  readonly #random: () => number
  readonly #listeners = new SecretListeners()
  readonly #backoff
  readonly #ready = Promise.withResolvers<void>()
  #held: Obtained | undefined
  #trust: TrustSecret | undefined
  /** What was said about why there is none; empty once there is. */
  #said = ''
  #cancel: () => void = () => {}
  readonly #closing = new AbortController()

  constructor(options: IdentityOptions) {
    this.#options = options
    this.#uri = formatSpiffeId(options.id)
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    this.#backoff = createBackoff({ firstMs: firstRetryMs, maxMs: maxRetryMs, random: this.#random })
    this.whenReady = this.#ready.promise
    // Nobody has to wait for it.
    this.whenReady.catch(() => undefined)
    this.#order()
  }

  get notAfter(): number {
    return this.#held?.notAfter ?? 0
  }

  certificate(name: string): CertificateSecret | undefined {
    return name === 'default' ? this.#held?.secret : undefined
  }

  trust(name: string): TrustSecret | undefined {
    return name === 'ROOTCA' ? this.#trust : undefined
  }

  onChange(changed: (name: string) => void): () => void {
    return this.#listeners.add(changed)
  }

  close(): void {
    this.#closing.abort()
    this.#cancel()
    this.#ready.reject(new MeshError('identity/closed', `${this.#uri} was closed before it had a certificate`))
  }

  #order(): void {
    spawn(`ordering a certificate for ${this.#uri}`, this.#obtain())
  }

  async #obtain(): Promise<void> {
    let obtained: Obtained
    const silence = this.#held === undefined && this.#said === '' ? this.#clock.after(silenceMs, () => this.#say(`it has not answered for ${silenceMs / 1000} s`, whereIsIt)) : undefined
    try {
      obtained = await this.#ask()
    } catch (error) {
      return this.#closing.signal.aborted ? undefined : this.#retry(error)
    } finally {
      silence?.()
    }
    if (!this.#closing.signal.aborted) this.#take(obtained)
  }

  #ask(): Promise<Obtained> {
    const { ca, bearer, lifetimeMs = 86_400_000, timeoutMs = 10_000 } = this.#options
    const held = this.#held
    const valid = held !== undefined && this.#clock.now() < held.notAfter
    const tls = ca.tls === undefined ? undefined : { serverName: ca.tls.serverName, roots: this.#trust?.roots ?? ca.tls.roots }
    return obtainCertificate({
      ca: { address: ca.address, tls }, uri: this.#uri, key: generateKey(), lifetimeMs, timeoutMs, clock: this.#clock, signal: this.#closing.signal,
      bearer: bearer?.() ?? '',
      // One that is over would only be a reason to be refused.
      certificate: valid ? held.secret : undefined,
    })
  }

  #take(obtained: Obtained): void {
    this.#held = obtained
    this.#backoff.reset()
    if (this.#said !== '') this.#options.log?.(`a certificate for ${this.#uri} is there, good until ${new Date(obtained.notAfter).toISOString()}`)
    this.#said = ''
    this.#scheduleRenewal(obtained.notAfter)
    this.#ready.resolve()
    // Roots first: whoever shows the new certificate is ready for peers that are verified by them.
    this.takeTrust({ roots: obtained.roots, crl: this.#trust?.crl ?? '' })
    this.#listeners.tell('default')
  }

  takeTrust(trust: TrustSecret): void {
    const before = this.#trust
    if (before?.roots === trust.roots && before.crl === trust.crl) return
    this.#trust = trust
    this.#listeners.tell('ROOTCA')
  }

  #scheduleRenewal(notAfter: number): void {
    const { least, most } = renewAfter
    const now = this.#clock.now()
    this.#cancel = callAt(this.#clock, now + (notAfter - now) * (least + this.#random() * (most - least)), () => this.#order())
  }

  #retry(error: unknown): void {
    this.#say(describe(error), hintFor(error))
    this.#cancel = callAt(this.#clock, this.#clock.now() + this.#backoff.next(), () => this.#order())
  }

  #say(reason: string, hint: string): void {
    const where = this.#held === undefined ? `the CA is ${formatAddress(this.#options.ca.address)}: ${hint}; ` : ''
    const line = `no certificate for ${this.#uri}: ${reason}; ${this.#consequence()}; ${where}it is tried again and again, every ${maxRetryMs / 1000} s at least`
    if (line !== this.#said) this.#options.log?.(line)
    this.#said = line
  }

  #consequence(): string {
    const { notAfter } = this
    if (notAfter === 0) return 'nothing serves before there is one'
    const until = new Date(notAfter).toISOString()
    return this.#clock.now() < notAfter ? `the one in use is good until ${until}` : `the one in use expired on ${until}, peers refuse it`
  }
}

const whereIsIt = "is a control plane there ('trysail control'), and is --discovery-address (--ca-address) right?"

/** What to look at. */
function hintFor(error: unknown): string {
  if (hasCode(error, 'rpc/unauthenticated') || hasCode(error, 'rpc/permission-denied')) return "is the token one that it made for this workload ('trysail control token')?"
  if (hasCode(error, 'identity/answer')) return 'who else answers there?'
  return /certificate/i.test(describe(error)) ? "are --root-ca-file its roots ('trysail control roots')?" : whereIsIt
}
