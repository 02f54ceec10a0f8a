// What a thread has instead of an identity and a stream of its own: what the first thread tells it.
import { create } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import type { CertificateSecret, Secrets, TrustSecret } from '../identity/secrets.ts'
import { SecretListeners } from '../identity/secret-listeners.ts'
import type { XdsUpdate } from '../main-updates.ts'
import type { XdsStream } from '../proxy-parts.ts'
import type { PlainUpdate } from './link.ts'

/** The identity that the first thread holds. Both are in one process: no key leaves it. */
export class FedIdentity implements Secrets {
  readonly #listeners = new SecretListeners()
  #certificate: CertificateSecret | undefined
  #trust: TrustSecret | undefined

  certificate(name: string): CertificateSecret | undefined {
    return name === 'default' ? this.#certificate : undefined
  }

  trust(name: string): TrustSecret | undefined {
    return name === 'ROOTCA' ? this.#trust : undefined
  }

  onChange(changed: (name: string) => void): () => void {
    return this.#listeners.add(changed)
  }

  /** Roots first, as the first thread tells it. */
  replace(certificate: CertificateSecret | undefined, trust: TrustSecret | undefined): void {
    const before = { certificate: this.#certificate, trust: this.#trust }
    this.#certificate = certificate
    this.#trust = trust
    if (before.trust?.roots !== trust?.roots || before.trust?.crl !== trust?.crl) this.#listeners.tell('ROOTCA')
    if (before.certificate?.chain !== certificate?.chain) this.#listeners.tell('default')
  }
}

/** The first thread asks for what this one needs: both have the same plan. */
export class FedStream implements XdsStream {
  #onUpdate: (update: XdsUpdate) => unknown = () => undefined

  open(onUpdate: (update: XdsUpdate) => unknown): XdsStream {
    this.#onUpdate = onUpdate
    return this
  }

  subscribe(): void {}

  /** Said on a line of its own. */
  mention(): void {}

  close(): void {
    this.#onUpdate = () => undefined
  }

  /** What is wrong with it the first thread has told the control plane already. */
  feed({ typeUrl, version, resources, removed }: PlainUpdate): void {
    this.#onUpdate({
      typeUrl, version, removed,
      resources: resources.map(({ name, version: own, bytes }) => ({ name, version: own, any: create(AnySchema, { typeUrl, value: bytes }) })),
    })
  }
}
