// The TLS that a filter chain terminates: a DownstreamTlsContext and the secrets it names, as a server context that is
// built when first needed and again after a secret changed. Connections made with an older one live on.
import { MeshError, describe } from '../../lib/errors.ts'
import { createServerTls } from '../../net/tls.ts'
import type { PeerDigests, PeerNames, ServerTls } from '../../net/tls.ts'
import type { CertificateSecret, Secrets } from '../identity/secrets.ts'
import type { DecodedChain } from '../xds/listener.ts'
import { decodeTlsContext, peerProblem, resolveTls, secretNamesOf } from '../xds/tls-context.ts'
import type { TlsMaterial, TlsSettings } from '../xds/tls-context.ts'

export interface DownstreamTls {
  readonly secretNames: readonly string[]
  /** Undefined while a secret is missing or unusable: the connection is refused then. */
  current(): ServerTls | undefined
  /** Why `current` is undefined. */
  readonly problem: string
}

export function compileDownstreamTls({ tls, name }: DecodedChain, secrets: Secrets): DownstreamTls | undefined {
  if (tls === undefined) return undefined
  const common = tls.commonTlsContext
  if (common === undefined) throw new MeshError('proxy/bad-config', `filter chain ${name}: TLS without common_tls_context`)
  const settings = decodeTlsContext(common)
  if (settings.certificates.length === 0) throw new MeshError('proxy/bad-config', `filter chain ${name}: TLS without a certificate`)
  const requireClient = tls.requireClientCertificate ?? false
  if (requireClient && settings.trust === undefined) {
    throw new MeshError('proxy/bad-config', `filter chain ${name}: a client certificate is required, but nothing to verify it by`)
  }
  return new ChainTls(settings, requireClient, secrets)
}

interface Built {
  readonly from: TlsMaterial
  readonly context: ServerTls | undefined
}

class ChainTls implements DownstreamTls {
  readonly secretNames: readonly string[]
  problem = ''
  readonly #settings: TlsSettings
  readonly #requireClient: boolean
  readonly #secrets: Secrets
  #built: Built | undefined

  constructor(settings: TlsSettings, requireClient: boolean, secrets: Secrets) {
    this.#settings = settings
    this.#requireClient = requireClient
    this.#secrets = secrets
    this.secretNames = secretNamesOf(settings)
  }

  /** Compares what it was built from, so that nobody has to tell it of a rotation. */
  current(): ServerTls | undefined {
    const material = resolveTls(this.#settings, this.#secrets)
    if (material?.certificate === undefined) {
      this.problem = `waiting for the secrets ${this.secretNames.join(', ')}`
      return undefined
    }
    if (this.#built === undefined || !isSame(this.#built.from, material)) this.#built = { from: material, context: this.#build(material.certificate, material) }
    return this.#built.context
  }

  #build(certificate: CertificateSecret, { otherCertificates, trust }: TlsMaterial): ServerTls | undefined {
    const { alpn, minVersion, maxVersion, ciphers, curves } = this.#settings
    const clientCertificate = trust === undefined ? 'none' : this.#requireClient ? 'require' : 'request'
    // A client without a certificate has passed already where it may: only what it shows is checked.
    const verify = (peer: PeerNames, digests: PeerDigests | undefined) => peerProblem(this.#settings, peer, digests)
    try {
      this.problem = ''
      return createServerTls({ certificate, otherCertificates, trust, clientCertificate, alpn, minVersion, maxVersion, ciphers, curves, verify })
    } catch (error) {
      this.problem = describe(error)
      return undefined
    }
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  const sameTrust = one.trust?.roots === other.trust?.roots && one.trust?.crl === other.trust?.crl
  const [ours, theirs] = [shownBy(one), shownBy(other)]
  return sameTrust && ours.length === theirs.length && ours.every((text, at) => text === theirs[at])
}

const shownBy = ({ certificate, otherCertificates }: TlsMaterial): readonly string[] =>
  [certificate, ...otherCertificates].flatMap((each) => (each === undefined ? [] : [each.chain, each.key]))
