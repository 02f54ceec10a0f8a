// Client TLS contexts, one for each identity: clusters that show the same certificate and trust the same roots share one,
// whatever names each of them expects of its servers. A context costs about a millisecond and 100 KB.
import { createClientTls } from '../../net/tls.ts'
import type { ClientTls, ClientTlsOptions } from '../../net/tls.ts'
import type { Secrets } from '../identity/secrets.ts'

export type ContextOptions = Pick<ClientTlsOptions, 'certificate' | 'trust' | 'minVersion' | 'maxVersion' | 'ciphers' | 'curves'>

interface Shared {
  readonly options: ContextOptions
  readonly tls: ClientTls
}

/** A proxy has one identity in the mesh, and some credentials for hosts outside of it. Who holds one keeps it anyway. */
const maxShared = 32

export class TlsContexts {
  readonly secrets: Secrets
  /** The one used last comes last. */
  #shared: Shared[] = []

  constructor(secrets: Secrets) {
    this.secrets = secrets
  }

  /** Throws `net/tls` when certificate, key or roots cannot be used. */
  get(options: ContextOptions): ClientTls {
    const known = this.#shared.find((one) => isSame(one.options, options)) ?? { options, tls: createClientTls({ ...options, alpn: [] }) }
    this.#shared = [...this.#shared.filter((one) => one !== known), known].slice(-maxShared)
    return known.tls
  }
}

function isSame(one: ContextOptions, other: ContextOptions): boolean {
  if (one.minVersion !== other.minVersion || one.maxVersion !== other.maxVersion) return false
  if (one.ciphers !== other.ciphers || one.curves !== other.curves) return false
  return one.certificate?.chain === other.certificate?.chain && one.certificate?.key === other.certificate?.key && sameTrust(one.trust, other.trust)
}

function sameTrust(one: ContextOptions['trust'], other: ContextOptions['trust']): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other
  return one.roots === other.roots && one.crl === other.crl
}
