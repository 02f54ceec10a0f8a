// TLS towards upstreams: mesh mTLS with certificates that the proxy holds itself, and what a DestinationRule asks for.
import { knownCiphers, knownCurves } from '../../../kinds/networking/server-tls-rules.ts'
import type { ClientTls } from '../../destination-rule-spec.ts'
import type { MeshTls } from '../../specs.ts'
import { ApiConfigSource_ApiType, ApiVersion } from '../../../proto/gen/envoy/config/core/v3/config_source_pb.ts'
import type { TransportSocketSchema } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import {
  CertificateValidationContext_TrustChainVerification as TrustChain,
  SubjectAltNameMatcher_SanType as SanType,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type {
  CertificateValidationContextSchema,
} from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SdsSecretConfigSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { UpstreamTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { CommonTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { ProxyProtocolConfig_Version as ProxyVersion } from '../../../proto/gen/envoy/config/core/v3/proxy_protocol_pb.ts'
import { ProxyProtocolUpstreamTransportSchema as ProxyProtocolSocketSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { RawBufferSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'

export type TransportSocket = Init<typeof TransportSocketSchema>
type CommonTls = Init<typeof CommonTlsContextSchema>
type Validation = Init<typeof CertificateValidationContextSchema>

/** Names under which a proxy keeps its own certificate and the mesh's roots. */
const workloadCertificate = 'default'
const meshRoots = 'ROOTCA'

/** TLS 1.2's suites of Istio; 1.3 has its own. */
const meshCiphers = [
  'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'AES128-GCM-SHA256',
]

const tlsVersions = { tlsMinimumProtocolVersion: TlsProtocol.TLSv1_2, tlsMaximumProtocolVersion: TlsProtocol.TLSv1_3 }

/** A secret that the proxy's own agent serves, on Istio's cluster `sds-grpc`. */
export function localSecret(name: string): Init<typeof SdsSecretConfigSchema> {
  return {
    name,
    sdsConfig: {
      configSourceSpecifier: {
        case: 'apiConfigSource',
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'sds-grpc' } } }],
        },
      },
      initialFetchTimeout: durationOf(0),
      resourceApiVersion: ApiVersion.V3,
    },
  }
}

/** A secret that the control plane serves. */
const builtin = 'builtin://'

const resourceOf = (credential: string): string => (/^[a-z-]+:\/\//.test(credential) ? credential : `kubernetes://${credential}`)

/** The certificate of a credential: a Secret, or the workload's own. */
export const credentialSecret = (name: string): Init<typeof SdsSecretConfigSchema> =>
  (name === builtin ? localSecret(workloadCertificate) : remoteSecret(resourceOf(name)))

/** Those whom it trusts. */
export const credentialRoots = (name: string): Init<typeof SdsSecretConfigSchema> =>
  (name === builtin ? localSecret(meshRoots) : remoteSecret(`${resourceOf(name)}-cacert`))

function remoteSecret(name: string): Init<typeof SdsSecretConfigSchema> {
  return {
    name,
    sdsConfig: {
      configSourceSpecifier: { case: 'ads', value: {} },
      initialFetchTimeout: durationOf(0),
      resourceApiVersion: ApiVersion.V3,
    },
  }
}

/** Our certificate, and trust in the mesh's roots plus `validation`. `asked`: what the mesh wants of a server's parameters. */
export function meshTls(alpn: readonly string[], validation: Validation, asked: MeshTls = {}): CommonTls {
  return {
    alpnProtocols: [...alpn],
    tlsParams: { ...tlsVersions, ...leastVersion(asked), cipherSuites: meshCiphers, ...chosenBy(asked) },
    tlsCertificateSdsSecretConfigs: [localSecret(workloadCertificate)],
    validationContextType: {
      case: 'combinedValidationContext',
      value: { defaultValidationContext: validation, validationContextSdsSecretConfig: localSecret(meshRoots) },
    },
  }
}

const leastVersion = ({ minProtocolVersion }: MeshTls) => (minProtocolVersion === 'TLSV1_3' ? { tlsMinimumProtocolVersion: TlsProtocol.TLSv1_3 } : {})

/** Suites and curves that the mesh names; those that nobody knows would have the whole context refused. */
export function chosenBy({ cipherSuites = [], ecdhCurves = [] }: MeshTls) {
  const suites = cipherSuites.filter((name) => knownCiphers.has(name))
  const curves = ecdhCurves.filter((name) => knownCurves.has(name))
  return { ...(suites.length > 0 && { cipherSuites: suites }), ...(curves.length > 0 && { ecdhCurves: curves }) }
}

export interface UpstreamTls {
  readonly serverName: string
  readonly http2: boolean
  /** URIs that the server may have in its certificate; empty accepts every identity of the mesh. */
  readonly identities: readonly string[]
}

export function mutualTlsSocket(tls: UpstreamTls): TransportSocket {
  const alpn = tls.http2 ? ['istio-peer-exchange', 'istio', 'h2'] : ['istio-peer-exchange', 'istio']
  return socket({ sni: tls.serverName, commonTlsContext: meshTls(alpn, { matchTypedSubjectAltNames: uriNames(tls.identities) }) })
}

export const plainSocket = (): TransportSocket => ({
  name: 'envoy.transport_sockets.raw_buffer',
  configType: { case: 'typedConfig', value: packed(RawBufferSchema, {}) },
})

/** Says who the client is before anything else of `inner`. */
export const proxyProtocolSocket = (inner: TransportSocket, second: boolean): TransportSocket => ({
  name: 'envoy.transport_sockets.upstream_proxy_protocol',
  configType: {
    case: 'typedConfig',
    value: packed(ProxyProtocolSocketSchema, { config: { version: second ? ProxyVersion.V2 : ProxyVersion.V1 }, transportSocket: inner }),
  },
})

const uriNames = (uris: readonly string[]) =>
  uris.map((exact) => ({ sanType: SanType.URI, matcher: { matchPattern: { case: 'exact' as const, value: exact } } }))

/** SIMPLE and MUTUAL: the operator's own certificates and roots (traffic spec 1.3.6). */
export function originatedTlsSocket(tls: ClientTls, http2: boolean, expectedNames: readonly string[], asked: MeshTls): TransportSocket {
  const names = tls.subjectAltNames !== undefined && tls.subjectAltNames.length > 0 ? tls.subjectAltNames : expectedNames
  const common: CommonTls = {
    alpnProtocols: http2 ? ['h2'] : [],
    tlsParams: { ...tlsVersions, ...chosenBy(asked) },
    tlsCertificateSdsSecretConfigs: ownCertificate(tls),
    validationContextType: { case: 'combinedValidationContext', value: trust(tls, names) },
  }
  return socket({ sni: tls.sni ?? '', commonTlsContext: common })
}

function ownCertificate(tls: ClientTls) {
  if (tls.mode !== 'MUTUAL') return []
  if (tls.credentialName) return [credentialSecret(tls.credentialName)]
  return [localSecret(`file-cert:${tls.clientCertificate ?? ''}~${tls.privateKey ?? ''}`)]
}

function trust(tls: ClientTls, names: readonly string[]) {
  if (tls.insecureSkipVerify === true) {
    return { defaultValidationContext: { trustChainVerification: TrustChain.ACCEPT_UNTRUSTED } }
  }
  const roots = !tls.credentialName
    ? localSecret(`file-root:${tls.caCertificates || 'system'}${tls.caCrl ? `~${tls.caCrl}` : ''}`)
    : credentialRoots(tls.credentialName)
  return { defaultValidationContext: { matchTypedSubjectAltNames: dnsOrUriNames(names) }, validationContextSdsSecretConfig: roots }
}

function dnsOrUriNames(names: readonly string[]) {
  return names.map((exact) => ({
    sanType: exact.includes('://') ? SanType.URI : SanType.DNS,
    matcher: { matchPattern: { case: 'exact' as const, value: exact } },
  }))
}

function socket(context: Init<typeof UpstreamTlsContextSchema>): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: packed(UpstreamTlsContextSchema, context) },
  }
}
