// The TLS of a gateway's server as a DownstreamTlsContext: where its certificates come from, whom it lets in, what it speaks
// (traffic spec 1.4, 4.1, 4.2).
import type { SubjectAltNameMatcherSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import {
  SubjectAltNameMatcher_SanType as SanType, TlsParameters_TlsProtocol as TlsProtocol,
} from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { DownstreamTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { CommonTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { GatewayServer, MeshTls, ServerTls } from '../../specs.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { chosenBy, credentialRoots, credentialSecret, localSecret, meshTls } from '../cluster/tls.ts'
import { tlsModeOf } from '../gateway-servers.ts'
import type { FilterChainInit } from './outbound.ts'

/** Of a gateway's server, or of a sidecar's ingress listener. */
export function serverTlsSocket(tls: ServerTls | undefined, readsHttp: boolean, mesh: MeshSettings): FilterChainInit['transportSocket'] {
  const mode = tlsModeOf({ tls })
  const alpn = readsHttp ? ['h2', 'http/1.1'] : []
  const context = packed(DownstreamTlsContextSchema, {
    commonTlsContext: mode === 'ISTIO_MUTUAL' ? meshTls(alpn, peers(tls ?? {}), mesh.meshTls) : ownTls(tls ?? {}, mode, alpn, mesh),
    requireClientCertificate: mode === 'MUTUAL' || mode === 'ISTIO_MUTUAL',
  })
  return { name: 'envoy.transport_sockets.tls', configType: { case: 'typedConfig', value: context } }
}

function ownTls(tls: ServerTls, mode: string, alpn: readonly string[], { tlsDefaults }: MeshSettings): Init<typeof CommonTlsContextSchema> {
  const common = { alpnProtocols: [...alpn], tlsParams: parameters(tls, tlsDefaults), tlsCertificateSdsSecretConfigs: certificates(tls) }
  if (mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return common
  return {
    ...common,
    validationContextType: { case: 'combinedValidationContext', value: { defaultValidationContext: peers(tls), validationContextSdsSecretConfig: roots(tls) } },
  }
}

function certificates(tls: ServerTls) {
  const named = tls.credentialName ? [tls.credentialName] : tls.credentialNames ?? []
  if (named.length > 0) return named.map(credentialSecret)
  const pairs = tls.tlsCertificates !== undefined && tls.tlsCertificates.length > 0 ? tls.tlsCertificates : [tls]
  return pairs.map(({ serverCertificate = '', privateKey = '' }) => localSecret(`file-cert:${serverCertificate}~${privateKey}`))
}

/** Those of the credential itself, unless others are named. */
function roots(tls: ServerTls) {
  const named = tls.caCertCredentialName || tls.credentialName || tls.credentialNames?.[0]
  if (named) return credentialRoots(named)
  const file = tls.caCertificates || tls.tlsCertificates?.find((one) => one.caCertificates)?.caCertificates || ''
  return localSecret(`file-root:${file}${tls.caCrl ? `~${tls.caCrl}` : ''}`)
}

function peers(tls: ServerTls) {
  return {
    matchTypedSubjectAltNames: (tls.subjectAltNames ?? []).map(nameMatcher),
    verifyCertificateSpki: [...tls.verifyCertificateSpki ?? []],
    verifyCertificateHash: [...tls.verifyCertificateHash ?? []],
  }
}

function nameMatcher(exact: string): Init<typeof SubjectAltNameMatcherSchema> {
  return { sanType: exact.includes('://') ? SanType.URI : SanType.DNS, matcher: { matchPattern: { case: 'exact', value: exact } } }
}

const versions: Readonly<Record<string, TlsProtocol>> = {
  TLSV1_0: TlsProtocol.TLSv1_0, TLSV1_1: TlsProtocol.TLSv1_1, TLSV1_2: TlsProtocol.TLSv1_2, TLSV1_3: TlsProtocol.TLSv1_3,
}

/** What a server leaves open is as the mesh says. */
function parameters({ minProtocolVersion = '', maxProtocolVersion = '', cipherSuites = [], ecdhCurves = [] }: ServerTls, others: MeshTls) {
  return {
    tlsMinimumProtocolVersion: versions[minProtocolVersion] ?? TlsProtocol.TLSv1_2,
    tlsMaximumProtocolVersion: versions[maxProtocolVersion] ?? TlsProtocol.TLSv1_3,
    ...chosenBy(others),
    ...chosenBy({ cipherSuites: [...new Set(cipherSuites)], ecdhCurves }),
  }
}

/** What would have a proxy refuse the whole listener; such a server gets no chain, and the others of its port go on. */
export function serverTlsProblem({ tls }: GatewayServer): string | undefined {
  const hash = tls?.verifyCertificateHash?.find((one) => !/^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i.test(one))
  if (hash !== undefined) return `verifyCertificateHash: ${JSON.stringify(hash)} is no SHA-256 in hexadecimal`
  const spki = tls?.verifyCertificateSpki?.find((one) => !/^[A-Za-z0-9+/]{43}=$/.test(one))
  return spki === undefined ? undefined : `verifyCertificateSpki: ${JSON.stringify(spki)} is no SHA-256 in base64`
}
