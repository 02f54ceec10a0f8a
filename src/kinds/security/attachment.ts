// To whom a security policy attaches: workloads by selector, or what it names (security spec 2.6).
import { z } from 'zod'
import { matchLabels } from '../fields/labels.ts'
import { each, error, warning, within } from '../kind.ts'
import type { NotServed, Rule } from '../kind.ts'

const targetRef = z.strictObject({
  group: z.string().default(''),
  kind: z.string().min(1),
  name: z.string().min(1),
  namespace: z.string().optional(),
})

/** Fields of a policy's spec. */
export const attachment = {
  selector: matchLabels.optional(),
  targetRef: targetRef.optional(),
  targetRefs: z.array(targetRef).max(16).default([]),
}

/** What waypoints would enforce. */
const ofWaypoints: Omit<NotServed, 'path'> = { values: ['Service', 'ServiceEntry', 'GatewayClass'], instead: 'that is enforced by waypoints: without one nothing is enforced for this target' }

/** Rows of every kind that has these fields. */
export const attachmentNotServed: readonly NotServed[] = [{ path: 'targetRef.kind', ...ofWaypoints }, { path: 'targetRefs[].kind', ...ofWaypoints }]

/** Group and kind. */
const targets: ReadonlySet<string> = new Set(['gateway.networking.k8s.io Gateway', 'gateway.networking.k8s.io GatewayClass', ' Service', 'core Service', 'networking.istio.io ServiceEntry'])
const targetNames = 'Gateway and GatewayClass (group gateway.networking.k8s.io), Service (no group) and ServiceEntry (group networking.istio.io)'

const targetRules: readonly Rule<z.infer<typeof targetRef>>[] = [
  error(function* ({ group, kind, namespace }, metadata) {
    if (!targets.has(`${group} ${kind}`)) yield [['kind'], `${JSON.stringify(group)} ${JSON.stringify(kind)} is nothing that a policy can be for: ${targetNames} are`]
    if (namespace !== undefined && namespace !== '' && namespace !== metadata.namespace) yield [['namespace'], `must be the policy's own, ${metadata.namespace}: a policy is for what is in its namespace`]
  }),
]

const object = z.strictObject(attachment)
export type Attachment = z.infer<typeof object>

/** Of every kind that has these fields: `within((spec) => spec, [], attachmentRules)`. */
export const attachmentRules: readonly Rule<Attachment>[] = [
  ...within<Attachment, z.infer<typeof targetRef>>(({ targetRef: one }) => one, ['targetRef'], targetRules),
  ...each<Attachment, z.infer<typeof targetRef>>(({ targetRefs }) => targetRefs, ['targetRefs'], targetRules),
  error(function* ({ selector, targetRef: one, targetRefs }) {
    const written = [selector === undefined ? '' : 'selector', one === undefined ? '' : 'targetRef', targetRefs.length === 0 ? '' : 'targetRefs'].filter((name) => name !== '')
    if (written.length > 1) yield [[written[1]!], `cannot stand beside ${written[0]!}: a policy is for one or the other`]
  }),
  warning(function* ({ selector }) {
    if (selector !== undefined && Object.keys(selector.matchLabels).length === 0) yield [['selector'], 'selects every workload of the namespace, since it has no matchLabels']
  }),
]
