// Decodes the half of Envoy's TLS contexts that servers and clients share: where certificate and trust come from, which
// names a peer may have, protocol versions, ALPN. What cannot be honoured is refused: TLS fails closed.
import { MeshError } from '../../lib/errors.ts'
import type { PeerDigests, PeerNames, TlsVersion } from '../../net/tls.ts'
import { SubjectAltNameMatcher_SanType as SanType, TlsParameters_TlsProtocol as Protocol } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { CertificateValidationContext, TlsParameters } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { CommonTlsContext } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { CertificateSecret, Secrets, TrustSecret } from '../identity/secrets.ts'
import { compileNameMatcher } from './name-matcher.ts'
import type { NameMatcher } from './name-matcher.ts'
import { decodeCertificate, decodeTrust } from './secret.ts'

/** A secret by its SDS name, or one that stood in the message. */
type Source<Value> = { readonly name: string } | { readonly inline: Value }

/** One peer name that is accepted. */
export interface PeerNameMatcher {
  readonly type: 'uri' | 'dns'
  readonly matches: NameMatcher
}

export interface TlsSettings {
  /** Of different kinds of keys, where there are several. */
  readonly certificates: readonly Source<CertificateSecret>[]
  readonly trust: Source<TrustSecret> | undefined
  /** Empty: any name that the trust bundle vouches for. */
  readonly peerNames: readonly PeerNameMatcher[]
  /** Digests of which a peer's certificate must have one; empty for no such condition. */
  readonly pins: Pins
  readonly alpn: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** OpenSSL names, joined by colons; empty for the default. */
  readonly ciphers: string
  readonly curves: string
}

export interface Pins {
  /** Of certificates: lower-case hex. */
  readonly certificates: ReadonlySet<string>
  /** Of public keys: base64. */
  readonly publicKeys: ReadonlySet<string>
}

/** What a context is built from, once all of its secrets are there. */
export interface TlsMaterial {
  readonly certificate: CertificateSecret | undefined
  /** The others that are there. */
  readonly otherCertificates: readonly CertificateSecret[]
  readonly trust: TrustSecret | undefined
}

export function decodeTlsContext(context: CommonTlsContext): TlsSettings {
  refuseUnsupported(context)
  const { validation, sdsName } = validationOf(context)
  return {
    certificates: certificatesOf(context),
    trust: trustOf(validation, sdsName),
    peerNames: validation === undefined ? [] : peerNamesOf(validation),
    pins: pinsOf(validation),
    alpn: context.alpnProtocols,
    ...parametersOf(context.tlsParams),
  }
}

/** SDS names that the context waits for. */
export function secretNamesOf(settings: TlsSettings): readonly string[] {
  return [...settings.certificates, settings.trust].flatMap((source) => (source !== undefined && 'name' in source ? [source.name] : []))
}

/** Undefined while a secret is missing: no TLS then, and no plaintext instead. Of several certificates one is enough. */
export function resolveTls(settings: TlsSettings, secrets: Secrets): TlsMaterial | undefined {
  const [certificate, ...otherCertificates] = settings.certificates.flatMap((source) => resolve(source, (name) => secrets.certificate(name)) ?? [])
  const trust = resolve(settings.trust, (name) => secrets.trust(name))
  if (settings.certificates.length > 0 && certificate === undefined) return undefined
  if (settings.trust !== undefined && trust === undefined) return undefined
  return { certificate, otherCertificates, trust }
}

/** Why a verified peer may not come in; undefined when it may. */
export function peerProblem({ peerNames, pins }: TlsSettings, names: PeerNames, digests: PeerDigests | undefined): string | undefined {
  const { uris, dnsNames } = names
  const named = peerNames.length === 0 || peerNames.some(({ type, matches }) => (type === 'uri' ? uris : dnsNames).some((name) => matches(name)))
  if (!named) return `${[...uris, ...dnsNames].join(', ') || 'a certificate without names'} is not accepted here`
  return isPinned(pins, digests) ? undefined : 'the certificate is not among those that are pinned'
}

/** One pin of either kind is enough, as in Envoy. */
function isPinned({ certificates, publicKeys }: Pins, digests: PeerDigests | undefined): boolean {
  if (certificates.size + publicKeys.size === 0) return true
  return digests !== undefined && (certificates.has(digests.certificate) || publicKeys.has(digests.publicKey))
}

function resolve<Value>(source: Source<Value> | undefined, find: (name: string) => Value | undefined): Value | undefined {
  if (source === undefined) return undefined
  return 'name' in source ? find(source.name) : source.inline
}

function bad(what: string): MeshError {
  return new MeshError('proxy/bad-config', `TLS context: ${what}`)
}

function refuseUnsupported(context: CommonTlsContext): void {
  if (context.customHandshaker !== undefined) throw bad('custom_handshaker is not supported')
  if (context.tlsCertificateProviderInstance !== undefined) throw bad('certificate providers are not supported')
}

function certificatesOf(context: CommonTlsContext): readonly Source<CertificateSecret>[] {
  const sds = context.tlsCertificateSdsSecretConfigs
  if (sds.length > 0) return sds.map(({ name }) => ({ name }))
  return context.tlsCertificates.map((inline) => ({ inline: decodeCertificate(inline, 'in the listener') }))
}

interface Validation {
  readonly validation: CertificateValidationContext | undefined
  readonly sdsName: string | undefined
}

function validationOf({ validationContextType: type }: CommonTlsContext): Validation {
  switch (type.case) {
    case undefined: return { validation: undefined, sdsName: undefined }
    case 'validationContext': return { validation: type.value, sdsName: undefined }
    case 'validationContextSdsSecretConfig': return { validation: undefined, sdsName: type.value.name }
    case 'combinedValidationContext': {
      const { defaultValidationContext, validationContextSdsSecretConfig } = type.value
      return { validation: defaultValidationContext, sdsName: validationContextSdsSecretConfig?.name }
    }
    default: throw bad(`${type.case} is not supported`)
  }
}

function trustOf(validation: CertificateValidationContext | undefined, sdsName: string | undefined): Source<TrustSecret> | undefined {
  if (sdsName !== undefined) return { name: sdsName }
  if (validation?.trustedCa === undefined) {
    const pins = pinsOf(validation)
    const checks = validation !== undefined && peerNamesOf(validation).length + pins.certificates.size + pins.publicKeys.size > 0
    if (checks) throw bad('names or digests to check, but no trusted_ca')
    return undefined
  }
  return { inline: decodeTrust(validation, 'in the listener') }
}

function peerNamesOf(validation: CertificateValidationContext): PeerNameMatcher[] {
  if (validation.allowExpiredCertificate) throw bad('allow_expired_certificate is not supported')
  const typed = validation.matchTypedSubjectAltNames.map(({ sanType, matcher }) => {
    if (matcher === undefined || (sanType !== SanType.URI && sanType !== SanType.DNS)) throw bad('only URI and DNS names are matched')
    return { type: sanType === SanType.URI ? 'uri' as const : 'dns' as const, matches: compileNameMatcher(matcher) }
  })
  return [...typed, ...validation.matchSubjectAltNames.flatMap((matcher) => {
    const matches = compileNameMatcher(matcher)
    return [{ type: 'uri' as const, matches }, { type: 'dns' as const, matches }]
  })]
}

/** Hashes come with or without colons, in any case. */
function pinsOf(validation: CertificateValidationContext | undefined): Pins {
  return {
    certificates: new Set(validation?.verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase())),
    publicKeys: new Set(validation?.verifyCertificateSpki),
  }
}

type Parameters = Pick<TlsSettings, 'minVersion' | 'maxVersion' | 'ciphers' | 'curves'>

const versions: Readonly<Partial<Record<Protocol, TlsVersion>>> = {
  [Protocol.TLSv1_0]: 'TLSv1', [Protocol.TLSv1_1]: 'TLSv1.1', [Protocol.TLSv1_2]: 'TLSv1.2', [Protocol.TLSv1_3]: 'TLSv1.3',
}

/** Versions below 1.2 only where they are asked for by name. */
function parametersOf(params: TlsParameters | undefined): Parameters {
  return {
    minVersion: versions[params?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO] ?? 'TLSv1.2',
    maxVersion: versions[params?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO] ?? 'TLSv1.3',
    ciphers: params?.cipherSuites.join(':') ?? '',
    curves: params?.ecdhCurves.join(':') ?? '',
  }
}
