// x-forwarded-client-cert: who called, as the peer's certificate says (security spec 2, Envoy's XFCC format). Only a
// connection that was verified may add to it; what a plaintext client sends is never believed.
import { HttpConnectionManager_ForwardClientCertDetails as ClientCert } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TlsInfo } from '../../net/transport.ts'
import type { ManagerConfig } from './manager-config.ts'

/** The element that describes this connection's peer; empty when it showed no certificate. */
export function clientCertElement(tls: TlsInfo | undefined, { clientCertFields: fields }: ManagerConfig): string {
  if (tls === undefined || tls.peerDigest === '') return ''
  // Who took the request and which certificate it came with are always said, the rest where it is asked for.
  const parts = [...tls.localUris.map((uri) => `By=${uri}`), `Hash=${tls.peerDigest}`]
  if (fields.cert && tls.peerCertificate !== undefined) parts.push(`Cert="${encodedPem(tls.peerCertificate)}"`)
  if (fields.subject) parts.push(`Subject="${tls.peerSubject.replace(/["\\]/g, '\\$&')}"`)
  if (fields.uri) for (const uri of tls.peerUris) parts.push(`URI=${uri}`)
  if (fields.dns) for (const name of tls.peerDnsNames) parts.push(`DNS=${name}`)
  return parts.join(';')
}

/** What a header may not hold, or would be taken for another part of it. */
const encoded: Readonly<Record<string, string>> = { '\n': '%0A', ' ': '%20', '+': '%2B', '/': '%2F', '=': '%3D' }

/** PEM, so that a server can read on what the parts leave out. */
function encodedPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`.replace(/[\n +/=]/g, (one) => encoded[one]!)
}

/** What goes on: undefined for no header. `element` is empty for peers without a certificate. */
export function forwardedClientCert(mode: ClientCert, sent: string | undefined, element: string): string | undefined {
  if (mode === ClientCert.ALWAYS_FORWARD_ONLY) return sent
  if (mode === ClientCert.SANITIZE || element === '') return undefined
  if (mode === ClientCert.FORWARD_ONLY) return sent
  return mode === ClientCert.APPEND_FORWARD && sent !== undefined ? `${sent},${element}` : element
}
