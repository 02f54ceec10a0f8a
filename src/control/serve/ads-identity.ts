// Whether the caller of a stream is who its xDS node says it is (traffic spec 6.5). What cannot be shown is refused.
import { parseSpiffeId } from '../../model/spiffe-id.ts'
import { readProxyNode } from '../translate/proxy-node.ts'
import type { ConnectingNode } from './resource-source.ts'
import { GrpcError, grpcStatus } from './rpc.ts'
import type { Caller } from './rpc.ts'

const denied = (message: string): GrpcError => new GrpcError(grpcStatus.permissionDenied, message)

/** Before anything is read from it. Throws a GrpcError. */
export function requireIdentity(caller: Caller): void {
  // Without TLS we listen on loopback only: who is on this machine may read what is on this machine.
  if (!caller.encrypted) return
  if (caller.uris.length === 0) throw denied('xDS over TLS needs a client certificate with a SPIFFE identity')
  if (caller.uris.length > 1) throw denied(`the client certificate names ${caller.uris.length} identities; a workload has one`)
  if (parseSpiffeId(caller.uris[0]!) === undefined) throw denied(`${caller.uris[0]!} is not spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`)
}

/** Throws a GrpcError, or a MeshError for a node that cannot be read. */
export function requireOwnNode(caller: Caller, node: ConnectingNode): void {
  if (!caller.encrypted) return
  const identity = parseSpiffeId(caller.uris[0] ?? '')
  const { namespace, serviceAccount } = readProxyNode(node)
  if (identity?.namespace !== namespace) {
    throw denied(`node ${node.id} is of namespace ${namespace}, but its certificate says ${caller.uris[0]!}`)
  }
  if (identity.serviceAccount !== serviceAccount) {
    throw denied(`node ${node.id} has the service account ${serviceAccount} (metadata SERVICE_ACCOUNT), but its certificate says ${caller.uris[0]!}`)
  }
}
