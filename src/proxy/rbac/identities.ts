// What a peer's certificate proves, in the order in which Envoy looks: URI names, or else DNS names, or else the subject.
import type { TlsInfo } from '../../net/transport.ts'

export function identitiesOf(tls: TlsInfo | undefined): readonly string[] | undefined {
  if (tls === undefined || tls.peerDigest === '') return undefined
  if (tls.peerUris.length > 0) return tls.peerUris
  return tls.peerDnsNames.length > 0 ? tls.peerDnsNames : [tls.peerSubject]
}
