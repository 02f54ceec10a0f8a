// The mesh's mutual TLS as a proxy's upstream side has it: its secrets in a test's hands, transport sockets as Istio's control
// plane writes them, and servers that are peers of the mesh.
import type { ServerOptions } from 'node:https'
import type { CertificateSecret, Secrets, TrustSecret } from '../../src/proxy/identity/secrets.ts'
import { RawBufferSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { tlsSocket } from './upstream-world.ts'
import { typed } from './xds-messages.ts'

export const spiffe = (account: string): string => `spiffe://cluster.local/ns/default/sa/${account}`

export class HeldSecrets implements Secrets {
  own: CertificateSecret | undefined
  roots: TrustSecret | undefined

  constructor(own: CertificateSecret, roots: string) {
    this.own = own
    this.roots = { roots, crl: '' }
  }

  certificate(name: string): CertificateSecret | undefined {
    return name === 'default' ? this.own : undefined
  }

  trust(name: string): TrustSecret | undefined {
    return name === 'ROOTCA' ? this.roots : undefined
  }

  onChange(): () => void {
    return () => {}
  }
}

const uri = (exact: string) => ({ sanType: 3 as const, matcher: { matchPattern: { case: 'exact' as const, value: exact } } })

/** To all hosts of a cluster; only with these identities. */
export const mutual = (...identities: readonly string[]) => tlsSocket({
  alpnProtocols: ['istio-peer-exchange', 'istio'],
  tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
  validationContextType: {
    case: 'combinedValidationContext',
    value: { validationContextSdsSecretConfig: { name: 'ROOTCA' }, defaultValidationContext: { matchTypedSubjectAltNames: identities.map(uri) } },
  },
}, 'outbound_.9080_._.reviews.default.svc.cluster.local')

/** To those endpoints that take it. */
export const automatic = (...identities: readonly string[]) => ({
  transportSocketMatches: [
    { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: mutual(...identities) },
    { name: 'tlsMode-disabled', match: {}, transportSocket: typed('envoy.transport_sockets.raw_buffer', RawBufferSchema, {}) },
  ],
})

/** Metadata of an endpoint that takes it. */
export const inMesh = (workload = '') => ({ metadata: { filterMetadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' }, istio: { workload } } } })

export const meshServer = (certificate: CertificateSecret, roots: string, more: ServerOptions = {}): ServerOptions =>
  ({ cert: certificate.chain, key: certificate.key, ca: roots, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['istio-http/1.1', 'http/1.1', 'istio'], ...more })
