// What the CA signs with over time: the root of its own in the state folder, made on the first start and made again, of the same
// key, when most of its life is over; or a CA that somebody else gives. Its place is followed: what replaces its parts is adopted when it fits,
// and what does not fit is said and changes nothing.
import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe, spawn } from '../../lib/errors.ts'
import { issueRoot, issueRootAgain } from '../../security/x509/issue.ts'
import { exportKey, generateKey } from '../../security/x509/key.ts'
import { caFolder, readSigning, rootChangeProblem } from './signing.ts'
import type { CaPlace, Signing } from './signing.ts'
import { createFolderOnce, replaceFile } from './state-folder.ts'
import type { FolderContent } from './state-folder.ts'
import { backdateMs } from './validity.ts'

const folderName = 'ca'
/** The parts have a few KB. */
const lookEveryMs = 1000

export interface RootOptions {
  readonly stateDir: string
  /** Where somebody else's CA is, or may come to be; until it is there, and where it is undefined, our own root. */
  readonly given?: CaPlace | undefined
  readonly trustDomain: string
  readonly lifetimeMs: number
  readonly clock: Clock
  readonly log: (line: string) => void
}

export interface SigningSource {
  readonly current: Signing
  /** Another one is current. The result ends it. */
  onChange(listener: () => void): () => void
  close(): void
}

/** Throws `ca/state` or `ca/expired`, naming the file. */
export async function openRoot(options: RootOptions): Promise<SigningSource> {
  const { stateDir, given, clock } = options
  const isGiven = (): boolean => given !== undefined && given.isThere?.() !== false
  if (!isGiven()) await createFolderOnce(stateDir, folderName, () => createRoot(options))
  const own = caFolder(join(stateDir, folderName), 'private')
  let place = own
  const read = async (): Promise<Signing> => {
    // Once it was there, nothing else is ever looked at again: that it is gone is said.
    if (isGiven()) place = given!
    const found = await readSigning(place, clock.now())
    return place === own && isNearItsEnd(found, clock.now()) ? await madeAgain(found, own, options) : found
  }
  return new FollowedSigning(await read(), read, options)
}

function createRoot({ trustDomain, lifetimeMs, clock }: RootOptions): FolderContent {
  const key = generateKey()
  const { pem } = issueRoot(key, trustDomain, { notBefore: clock.now() - backdateMs, notAfter: clock.now() + lifetimeMs })
  return new Map([['ca-cert.pem', pem], ['ca-key.pem', exportKey(key)]])
}

/** Of its life, what may be left of a root of our own before it is made again, as Istio's. */
const renewedBelow = 0.2

function isNearItsEnd({ issuer: { notBefore, notAfter } }: Signing, now: number): boolean {
  return notAfter - now < (notAfter - notBefore) * renewedBelow
}

/** What it signed, and who trusts it, stays: only its dates are new. */
async function madeAgain({ issuer }: Signing, own: CaPlace, { stateDir, lifetimeMs, clock, log }: RootOptions): Promise<Signing> {
  const { pem } = issueRootAgain(issuer, { notBefore: clock.now() - backdateMs, notAfter: clock.now() + lifetimeMs })
  await replaceFile(join(stateDir, folderName, 'ca-cert.pem'), pem)
  log(`the root was near its end and was made again, of the same key, good until ${new Date(clock.now() + lifetimeMs).toISOString()}`)
  return await readSigning(own, clock.now())
}

class FollowedSigning implements SigningSource {
  #current: Signing
  readonly #read: () => Promise<Signing>
  readonly #options: RootOptions
  readonly #listeners = new Set<() => void>()
  #said = ''
  #cancel: () => void = () => {}
  #closed = false

  constructor(first: Signing, read: () => Promise<Signing>, options: RootOptions) {
    this.#current = first
    this.#read = read
    this.#options = options
    this.#schedule()
  }

  get current(): Signing {
    return this.#current
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#cancel()
    this.#listeners.clear()
  }

  #schedule(): void {
    // Files change in the machine's own time, whatever the CA takes for now.
    if (!this.#closed) this.#cancel = systemClock.after(lookEveryMs, () => spawn('looking at the parts of the CA', this.#look()))
  }

  async #look(): Promise<void> {
    const next = await this.#read().catch((error: unknown) => describe(error))
    if (this.#closed) return
    if (typeof next === 'string') this.#say(next)
    else this.#consider(next)
    this.#schedule()
  }

  #consider(next: Signing): void {
    const { issuer, chain, roots, crl } = this.#current
    if (next.issuer.pem === issuer.pem && next.roots === roots && next.crl === crl && next.chain.join('') === chain.join('')) return this.#say('')
    const problem = rootChangeProblem(roots, next.roots)
    if (problem !== undefined) return this.#say(`the CA that was put there is not taken: ${problem}`)
    this.#current = next
    this.#say('')
    this.#options.log(`the CA was replaced: certificates are signed by it from now on, until ${new Date(next.issuer.notAfter).toISOString()}`)
    for (const listener of this.#listeners) listener()
  }

  /** Once, until it is another thing. */
  #say(problem: string): void {
    if (problem !== '' && problem !== this.#said) this.#options.log(`${problem}; the CA goes on with what it has`)
    this.#said = problem
  }
}
