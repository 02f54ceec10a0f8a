// To whom a security policy attaches: workloads by selector, or what it names (security spec 2.6).
import { z } from 'zod'
import { matchLabels } from '../fields/labels.ts'
import { error, warning } from '../kind.ts'
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

const nowhere = 'there are no proxies of the Gateway API yet, so the policy holds nowhere'

/** Rows of every kind that has these fields. */
export const attachmentNotServed: readonly NotServed[] = [{ path: 'targetRef', instead: nowhere }, { path: 'targetRefs', instead: nowhere }]

const object = z.strictObject(attachment)
export type Attachment = z.infer<typeof object>

/** Of every kind that has these fields: `within((spec) => spec, [], attachmentRules)`. */
export const attachmentRules: readonly Rule<Attachment>[] = [
  error(function* ({ selector, targetRef: one, targetRefs }) {
    const written = [selector === undefined ? '' : 'selector', one === undefined ? '' : 'targetRef', targetRefs.length === 0 ? '' : 'targetRefs'].filter((name) => name !== '')
    if (written.length > 1) yield [[written[1]!], `cannot stand beside ${written[0]!}: a policy is for one or the other`]
  }),
  warning(function* ({ selector }) {
    if (selector !== undefined && Object.keys(selector.matchLabels).length === 0) yield [['selector'], 'selects every workload of the namespace, since it has no matchLabels']
  }),
]
