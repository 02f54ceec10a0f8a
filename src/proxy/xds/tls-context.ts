// Decodes the half of Envoy's TLS contexts that servers and clients share: where certificate and trust come from, which
// names a peer may have, protocol versions, ALPN. What cannot be honoured is refused: TLS fails closed.
import { MeshError } from '../../lib/errors.ts'
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
  readonly certificate: Source<CertificateSecret> | undefined
  readonly trust: Source<TrustSecret> | undefined
  /** Empty: any name that the trust bundle vouches for. */
  readonly peerNames: readonly PeerNameMatcher[]
  readonly alpn: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** OpenSSL names, joined by colons; empty for the default. */
  readonly ciphers: string
  readonly curves: string
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** What a context is built from, once all of its secrets are there. */
export interface TlsMaterial {
  readonly certificate: CertificateSecret | undefined
  readonly trust: TrustSecret | undefined
}

export function decodeTlsContext(context: CommonTlsContext): TlsSettings {
  refuseUnsupported(context)
  const { validation, sdsName } = validationOf(context)
  return {
    certificate: certificateOf(context),
    trust: trustOf(validation, sdsName),
    peerNames: validation === undefined ? [] : peerNamesOf(validation),
    alpn: context.alpnProtocols,
    ...parametersOf(context.tlsParams),
  }
}

/** SDS names that the context waits for. */
export function secretNamesOf(settings: TlsSettings): readonly string[] {
  return [settings.certificate, settings.trust].flatMap((source) => (source !== undefined && 'name' in source ? [source.name] : []))
}

/** Undefined while a secret is missing: no TLS then, and no plaintext instead. */
export function resolveTls(settings: TlsSettings, secrets: Secrets): TlsMaterial | undefined {
  const certificate = resolve(settings.certificate, (name) => secrets.certificate(name))
  const trust = resolve(settings.trust, (name) => secrets.trust(name))
  if (settings.certificate !== undefined && certificate === undefined) return undefined
  if (settings.trust !== undefined && trust === undefined) return undefined
  return { certificate, trust }
}

/** Whether a peer with these names may come in. */
export function acceptsPeer(settings: TlsSettings, uris: readonly string[], dnsNames: readonly string[]): boolean {
  if (settings.peerNames.length === 0) return true
  return settings.peerNames.some(({ type, matches }) => (type === 'uri' ? uris : dnsNames).some((name) => matches(name)))
}

function resolve<Value>(source: Source<Value> | undefined, find: (name: string) => Value | undefined): Value | undefined {
  if (source === undefined) return undefined
  return 'name' in source ? find(source.name) : source.inline
}

function bad(what: string): MeshError {
  return new MeshError('proxy/bad-config', `TLS context: ${what}`)
}

function refuseUnsupported(context: CommonTlsContext): void {
  if (context.tlsCertificates.length + context.tlsCertificateSdsSecretConfigs.length > 1) throw bad('more than one certificate is not served yet')
  if (context.customHandshaker !== undefined) throw bad('custom_handshaker is not supported')
  if (context.tlsCertificateProviderInstance !== undefined) throw bad('certificate providers are not supported')
}

function certificateOf(context: CommonTlsContext): Source<CertificateSecret> | undefined {
  const sds = context.tlsCertificateSdsSecretConfigs[0]
  if (sds !== undefined) return { name: sds.name }
  const inline = context.tlsCertificates[0]
  return inline === undefined ? undefined : { inline: decodeCertificate(inline, 'in the listener') }
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
    if (validation !== undefined && peerNamesOf(validation).length > 0) throw bad('names to check, but no trusted_ca')
    return undefined
  }
  return { inline: decodeTrust(validation, 'in the listener') }
}

function peerNamesOf(validation: CertificateValidationContext): PeerNameMatcher[] {
  if (validation.verifyCertificateHash.length + validation.verifyCertificateSpki.length > 0) throw bad('certificate pinning is not served yet')
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

type Parameters = Pick<TlsSettings, 'minVersion' | 'maxVersion' | 'ciphers' | 'curves'>

/** Versions below 1.2 are not offered, whatever is asked for: OpenSSL 3 has them off. */
function parametersOf(params: TlsParameters | undefined): Parameters {
  return {
    minVersion: params?.tlsMinimumProtocolVersion === Protocol.TLSv1_3 ? 'TLSv1.3' : 'TLSv1.2',
    maxVersion: params?.tlsMaximumProtocolVersion === Protocol.TLSv1_2 ? 'TLSv1.2' : 'TLSv1.3',
    ciphers: params?.cipherSuites.join(':') ?? '',
    curves: params?.ecdhCurves.join(':') ?? '',
  }
}
