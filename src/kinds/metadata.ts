// The metadata that every object has, as Kubernetes defines it.
import { z } from 'zod'
import type { ObjectMeta } from '../model/resource.ts'

const name = z
  .string()
  .max(253)
  .refine(
    (text) => /^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$/i.test(text),
    "must be letters, digits, '-' and '.', and begin and end with a letter or digit",
  )

const textMap = z.record(z.string(), z.string()).nullish()

/** All of Kubernetes' own fields; what the mesh has no use for is not looked into. */
export const metadata = z.strictObject({
  name,
  namespace: name.optional(),
  labels: textMap,
  annotations: textMap,
  creationTimestamp: z.string().nullish(),
  generation: z.number().nullish(),
  generateName: z.unknown().optional(),
  uid: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  selfLink: z.unknown().optional(),
  managedFields: z.unknown().optional(),
  ownerReferences: z
    .array(z.looseObject({ kind: z.string(), name: z.string(), controller: z.boolean().optional() }))
    .nullish(),
  finalizers: z.unknown().optional(),
  deletionTimestamp: z.string().nullish(),
  deletionGracePeriodSeconds: z.unknown().optional(),
  clusterName: z.unknown().optional(),
})

export function objectMeta(written: z.infer<typeof metadata>, scope: 'Namespaced' | 'Cluster'): ObjectMeta {
  const owners = written.ownerReferences ?? []
  const owner = owners.find((one) => one.controller === true) ?? owners[0]
  const created = Date.parse(written.creationTimestamp ?? '')
  return {
    name: written.name,
    namespace: scope === 'Cluster' ? '' : written.namespace ?? 'default',
    labels: written.labels ?? {},
    annotations: written.annotations ?? {},
    creationTimestamp: Number.isNaN(created) ? undefined : created,
    generation: written.generation ?? 0,
    ...(owner === undefined ? {} : { owner: { kind: owner.kind, name: owner.name } }),
    ...(typeof written.deletionTimestamp === 'string' ? { deleting: true } : {}),
  }
}
