// The Kubernetes kinds of which the mesh reads little beside the metadata: Namespace, Node, ServiceAccount.
import { z } from 'zod'
import type { Kind } from '../kind.ts'

const schema = z.object({})

export type Plain = z.infer<typeof schema>
export type PlainSpec = Readonly<Plain>

function plain(kind: string, scope: Kind['scope']): Kind<Plain> {
  return { kind, group: '', versions: ['v1'], scope, body: 'object', schema, rules: [], notServed: [] }
}

/** Its labels say the network, and whether sidecars are injected. */
export const namespace = plain('Namespace', 'Cluster')

/** Its labels say the locality of the Pods on it. */
export const node = plain('Node', 'Cluster')

export const serviceAccount = plain('ServiceAccount', 'Namespaced')
