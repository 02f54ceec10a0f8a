// Endpoints as clients may speak to them: one whose port takes plaintext only, by PeerAuthentication, is no endpoint for
// mutual TLS, whatever its proxy could (traffic spec 3.6).
import type { Endpoint } from '../../../model/service.ts'
import type { Snapshot } from '../../snapshot.ts'

/** Made once for each endpoint: views compare their parts by identity. */
const plaintext = new WeakMap<Endpoint, Endpoint>()

export function withPeerModes(endpoints: readonly Endpoint[], { peerModes: { clients }, workloads }: Pick<Snapshot, 'peerModes' | 'workloads'>): readonly Endpoint[] {
  if (!clients.disables) return endpoints
  return endpoints.map((one) => {
    const [namespace = '', name = ''] = one.workload.split('/')
    const peer = workloads.named(namespace, name) ?? { namespace: namespace || one.namespace, labels: one.labels }
    return one.mutualTls && clients.modeOf(peer, one.port) === 'DISABLE' ? asPlaintext(one) : one
  })
}

function asPlaintext(one: Endpoint): Endpoint {
  const known = plaintext.get(one) ?? Object.freeze({ ...one, mutualTls: false })
  plaintext.set(one, known)
  return known
}
