// Weights that keep their users (docs/decisions/0008): with the annotation, which destination a request goes to is a
// function of its hash, as the host is, and a change of weights moves no more keys than it must.
import { create, toBinary } from '@bufbuild/protobuf'
import { RouteAction_HashPolicySchema as HashPolicySchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { HashPolicy } from './hash-policy.ts'

export const stickyAnnotation = 'trysail.dev/sticky-weights'

/**
 * Envoy takes the hash modulo the sum of weights: 9 and 1 would send other keys to the second than 90 and 10 do. So the
 * sum is always the same, and large enough for a hundredth of a per cent to be told.
 */
export const evenTotal = 1_000_000

export const isSticky = ({ metadata }: VirtualService): boolean => metadata.annotations[stickyAnnotation] === 'true'

/** By name, so that the order in the document does not matter; each takes its share of one fixed total. */
export function evened<Cluster extends { readonly name?: string; readonly weight?: number | undefined }>(clusters: readonly Cluster[]): Cluster[] {
  const sorted = clusters.toSorted((one, other) => ((one.name ?? '') < (other.name ?? '') ? -1 : 1))
  const all = sorted.reduce((sum, { weight = 0 }) => sum + weight, 0)
  let upTo = 0
  let border = 0
  return sorted.map((cluster) => {
    upTo += cluster.weight ?? 0
    const next = Math.round((upTo / all) * evenTotal)
    const weight = next - border
    border = next
    return { ...cluster, weight }
  })
}

/** Two subsets of one host have the same policy: once is enough, and keeps its hash that of the key alone. */
export function withoutRepeats(policies: readonly HashPolicy[]): HashPolicy[] {
  const byBytes = new Map(policies.map((policy) => [Buffer.from(toBinary(HashPolicySchema, create(HashPolicySchema, policy))).toString('latin1'), policy]))
  return [...byBytes.values()]
}
