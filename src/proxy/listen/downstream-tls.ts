// The TLS that a filter chain terminates: a DownstreamTlsContext and the secrets it names, as a server context that is
// built when first needed and again after a secret changed. Connections made with an older one live on.
import { MeshError, describe } from '../../lib/errors.ts'
import { createServerTls } from '../../net/tls.ts'
import type { PeerNames, ServerTls } from '../../net/tls.ts'
import type { CertificateSecret, Secrets, TrustSecret } from '../identity/secrets.ts'
import type { DecodedChain } from '../xds/listener.ts'
import { acceptsPeer, decodeTlsContext, resolveTls, secretNamesOf } from '../xds/tls-context.ts'
import type { TlsSettings } from '../xds/tls-context.ts'

export interface DownstreamTls {
  readonly secretNames: readonly string[]
  /** Undefined while a secret is missing or unusable: the connection is refused then. */
  current(): ServerTls | undefined
  /** Why `current` is undefined. */
  readonly problem: string
}

export function compileDownstreamTls({ tls, name, terminal }: DecodedChain, secrets: Secrets): DownstreamTls | undefined {
  if (tls === undefined) return undefined
  const common = tls.commonTlsContext
  if (common === undefined) throw new MeshError('proxy/bad-config', `filter chain ${name}: TLS without common_tls_context`)
  const settings = decodeTlsContext(common)
  if (settings.certificate === undefined) throw new MeshError('proxy/bad-config', `filter chain ${name}: TLS without a certificate`)
  const requireClient = tls.requireClientCertificate ?? false
  if (requireClient && settings.trust === undefined) {
    throw new MeshError('proxy/bad-config', `filter chain ${name}: a client certificate is required, but nothing to verify it by`)
  }
  // Our HTTP side speaks HTTP/1.1: a client that is told h2 would send what nobody understands.
  const alpn = terminal.kind === 'http' ? settings.alpn.filter((protocol) => protocol !== 'h2') : settings.alpn
  return new ChainTls({ ...settings, alpn }, requireClient, secrets)
}

interface Built {
  readonly certificate: CertificateSecret
  readonly trust: TrustSecret | undefined
  readonly context: ServerTls
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
    if (!isFrom(this.#built, material.certificate, material.trust)) this.#build(material.certificate, material.trust)
    return this.#built?.context
  }

  #build(certificate: CertificateSecret, trust: TrustSecret | undefined): void {
    const { alpn, minVersion, maxVersion, ciphers, curves } = this.#settings
    const clientCertificate = trust === undefined ? 'none' : this.#requireClient ? 'require' : 'request'
    try {
      const verify = (peer: PeerNames) => this.#verify(peer)
      const context = createServerTls({ certificate, trust, clientCertificate, alpn, minVersion, maxVersion, ciphers, curves, verify })
      this.#built = { certificate, trust, context }
      this.problem = ''
    } catch (error) {
      this.#built = undefined
      this.problem = describe(error)
    }
  }

  /** A client without a certificate has passed already where it may: only names that it shows are checked. */
  #verify({ uris, dnsNames }: PeerNames): string | undefined {
    const anonymous = uris.length === 0 && dnsNames.length === 0
    if (anonymous && !this.#requireClient) return undefined
    if (acceptsPeer(this.#settings, uris, dnsNames)) return undefined
    return `${[...uris, ...dnsNames].join(', ') || 'a certificate without names'} is not accepted here`
  }
}

function isFrom(built: Built | undefined, certificate: CertificateSecret, trust: TrustSecret | undefined): boolean {
  if (built === undefined) return false
  const sameTrust = built.trust?.roots === trust?.roots && built.trust?.crl === trust?.crl
  return sameTrust && built.certificate.chain === certificate.chain && built.certificate.key === certificate.key
}
