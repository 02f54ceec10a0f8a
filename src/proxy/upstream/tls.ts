// The TLS that a cluster speaks to its hosts: an UpstreamTlsContext and the secrets it names, as a client context that is
// built when first needed and again after a secret changed. Connections made with an older one live on. While a secret is
// missing nothing is sent, and never in plaintext instead.
import { MeshError, describe } from '../../lib/errors.ts'
import { isName } from '../../net/resolve.ts'
import type { ClientTls, PeerDigests, PeerNames } from '../../net/tls.ts'
import type { UpstreamTlsContext } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { CertificateSecret, TrustSecret } from '../identity/secrets.ts'
import { decodeTlsContext, peerProblem, resolveTls } from '../xds/tls-context.ts'
import type { TlsMaterial, TlsSettings } from '../xds/tls-context.ts'
import type { TlsContexts } from './tls-contexts.ts'

/** What the connection is for decides what is offered by ALPN. `bytes-by-address`: nobody knows what they are. */
export type TlsUse = 'http' | 'http2' | 'http-auto' | 'tcp' | 'bytes-by-address'

/** Istio's spelling inside the mesh, and what servers outside of it know. */
const meshAlpn = { http: ['istio-http/1.1', 'istio', 'http/1.1'], http2: ['istio-h2', 'istio', 'h2'], 'http-auto': ['istio-h2', 'istio-http/1.1', 'istio', 'h2', 'http/1.1'] } as const
const plainAlpn = { http: ['http/1.1'], http2: ['h2'], 'http-auto': ['h2', 'http/1.1'] } as const

/** The operating system's own roots: no secret. */
const systemRoots = 'file-root:system'

interface Built extends TlsMaterial {
  readonly tls: Readonly<Record<TlsUse, ClientTls>>
}

export class UpstreamTls {
  /** SNI; empty sends none. */
  readonly serverName: string
  /** Whose it is. */
  readonly cluster: string
  /** The mesh's mutual TLS, not what an operator wants of a server. */
  readonly speaksMesh: boolean
  /** How many names its peers may have; 0: any. */
  readonly acceptedNames: number
  /** Why `current` is undefined. */
  problem = ''
  readonly #settings: TlsSettings
  readonly #system: boolean
  readonly #contexts: TlsContexts
  #built: Built | undefined

  constructor(context: UpstreamTlsContext, contexts: TlsContexts, cluster: string) {
    if (context.commonTlsContext === undefined) throw new MeshError('proxy/bad-config', `cluster ${cluster}: TLS without common_tls_context`)
    const settings = decodeTlsContext(context.commonTlsContext)
    const { trust } = settings
    this.#system = trust !== undefined && 'name' in trust && trust.name === systemRoots
    this.#settings = this.#system ? { ...settings, trust: undefined } : settings
    this.#contexts = contexts
    this.serverName = context.sni
    this.cluster = cluster
    this.speaksMesh = settings.alpn.includes(meshProtocol)
    this.acceptedNames = settings.peerNames.length
  }

  /** `mustBe`: a name or an address that the certificate has to be for, where the context names none. */
  current(use: TlsUse, mustBe: string | undefined): ClientTls | undefined {
    const material = resolveTls(this.#settings, this.#contexts.secrets)
    if (material === undefined) {
      this.problem = 'TLS error: Secret is not supplied by SDS'
      return undefined
    }
    if (this.#built === undefined || !isSame(this.#built, material)) this.#build(material)
    const tls = this.#built?.tls[use]
    if (tls === undefined || mustBe === undefined || this.#settings.peerNames.length > 0) return tls
    return { ...tls, verify: (peer, digests) => this.#verify(peer, digests) ?? verifyName(peer, mustBe) }
  }

  #build(material: TlsMaterial): void {
    const { alpn, minVersion, maxVersion, ciphers, curves } = this.#settings
    const trust = this.#system ? 'system' : material.trust
    const verify = trust === undefined ? undefined : (peer: PeerNames, digests: PeerDigests | undefined) => this.#verify(peer, digests)
    try {
      const tls = { ...this.#contexts.get({ certificate: material.certificate, trust, minVersion, maxVersion, ciphers, curves }), verify }
      const offering = (use: TlsUse): ClientTls => ({ ...tls, alpn: alpnFor(use, alpn) })
      this.#built = { ...material, tls: { http: offering('http'), http2: offering('http2'), 'http-auto': offering('http-auto'), tcp: offering('tcp'), 'bytes-by-address': offering('bytes-by-address') } }
    } catch (error) {
      this.#built = undefined
      this.problem = `TLS error: ${describe(error)}`
    }
  }

  #verify(peer: PeerNames, digests: PeerDigests | undefined): string | undefined {
    const problem = peerProblem(this.#settings, peer, digests)
    return problem === undefined ? undefined : `verify SAN list: ${problem}`
  }
}

/** What the pool of connections speaks, in the words of the context: HTTP/2 needs them always, HTTP/1.1 where ALPN is used at all. */
function alpnFor(use: TlsUse, configured: readonly string[]): readonly string[] {
  if (use === 'bytes-by-address') return [meshProtocol]
  if (use === 'tcp') return configured.filter((name) => name !== exchangeOfMetadata)
  if (configured.includes(meshProtocol)) return meshAlpn[use]
  return configured.length === 0 && use === 'http' ? [] : plainAlpn[use]
}

/** Says of a connection that it is the mesh's, and no more. */
const meshProtocol = 'istio'

/** Before the first byte of an opaque connection; we do not take part in it. */
const exchangeOfMetadata = 'istio-peer-exchange'

function isSame(built: TlsMaterial, now: TlsMaterial): boolean {
  return sameCertificate(built.certificate, now.certificate) && sameTrust(built.trust, now.trust)
}

function sameCertificate(one: CertificateSecret | undefined, other: CertificateSecret | undefined): boolean {
  return one === other || (one?.chain === other?.chain && one?.key === other?.key)
}

function sameTrust(one: TrustSecret | undefined, other: TrustSecret | undefined): boolean {
  return one === other || (one?.roots === other?.roots && one?.crl === other?.crl)
}

function verifyName({ dnsNames, addresses }: PeerNames, wanted: string): string | undefined {
  if (!isName({ host: wanted })) return addresses.some((one) => isSameIp(one, wanted)) ? undefined : `the certificate is not for the address ${wanted}`
  const name = wanted.toLowerCase()
  const parent = name.slice(name.indexOf('.') + 1)
  const matches = dnsNames.some((one) => one.toLowerCase() === name || (parent.includes('.') && one.toLowerCase() === `*.${parent}`))
  return matches ? undefined : `the certificate is for ${dnsNames.join(', ') || 'no name'}, not for ${wanted}`
}

/** IPv6 has many spellings, of which a URL keeps one. */
function isSameIp(one: string, other: string): boolean {
  const spelt = (host: string) => (host.includes(':') ? new URL(`http://[${host}]`).hostname : host)
  return spelt(one) === spelt(other)
}
