// Labels, selectors of workloads, and to whom something is exported.
import { z } from 'zod'
import { isLabel } from './host.ts'

const keyPattern = /^([a-zA-Z0-9]([-a-zA-Z0-9.]{0,251}[a-zA-Z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const valuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

export const labels = z
  .record(z.string(), z.string())
  .superRefine((map, context) => {
    for (const [key, value] of Object.entries(map)) {
      const message = !keyPattern.test(key)
        ? `${JSON.stringify(key)} is not a label key`
        : valuePattern.test(value) ? undefined : `${JSON.stringify(value)} is not a label value`
      if (message !== undefined) context.addIssue({ code: 'custom', message, path: [key] })
    }
  })
  .meta({ type: 'labels' })

/** `selector.matchLabels` of the security kinds and DestinationRule. */
export const matchLabels = z.strictObject({ matchLabels: labels.default({}) })

/** `workloadSelector.labels` of the networking kinds. */
export const labelSelector = z.strictObject({ labels: labels.default({}) })

function exportProblem(values: readonly string[], noneAllowed: boolean): string | undefined {
  for (const value of values) {
    if (value === '*' || value === '~') {
      if (value === '~' && !noneAllowed) return '"~" (visible to nobody) is not allowed here'
      if (values.length > 1) return `${JSON.stringify(value)} must stand alone`
    } else if (value !== '.' && !isLabel(value)) {
      return `${JSON.stringify(value)} is neither "*", "." nor the name of a namespace`
    }
  }
  return new Set(values).size === values.length ? undefined : 'must not name a namespace twice'
}

const exportsTo = (noneAllowed: boolean) =>
  z
    .array(z.string())
    .superRefine((values, context) => {
      const message = exportProblem(values, noneAllowed)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
    .meta({ type: 'namespaces, "*" or "."' })

/** Undefined means the default of the mesh. */
export const exportTo = exportsTo(false)

/** Also `~`: visible to nobody. */
export const exportToOrNone = exportsTo(true)
