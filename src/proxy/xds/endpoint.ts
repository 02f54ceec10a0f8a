// Checks a load assignment before it is taken over. The hosts themselves are made by proxy/upstream.
import { MeshError } from '../../lib/errors.ts'
import type { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'

/** An endpoint without an address would be silently lost. */
export function checkAssignment(assignment: ClusterLoadAssignment): void {
  if (assignment.clusterName === '') throw new MeshError('proxy/bad-config', 'a load assignment without cluster_name')
  for (const { lbEndpoints } of assignment.endpoints) {
    for (const { hostIdentifier } of lbEndpoints) {
      if (hostIdentifier.case !== 'endpoint' || hostIdentifier.value.address === undefined) {
        throw new MeshError('proxy/bad-config', `${assignment.clusterName}: an endpoint without an address`)
      }
    }
  }
}
