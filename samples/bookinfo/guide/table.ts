// The steps of the tour, in the order in which they run. Each leaves the mesh as the next one expects it.
import { abort, delay, killVersion, retries, stopVersion, timeout } from './failure-steps.ts'
import { editToEffect, mutualTls, strict } from './mesh-steps.ts'
import { allToV1, half, jasonToV2, tenth, withoutRules } from './routing-steps.ts'
import type { Step } from './step.ts'

export const steps: readonly Step[] = [
  withoutRules, allToV1, jasonToV2, half, tenth, delay, timeout, abort, retries, stopVersion, killVersion, editToEffect, mutualTls, strict,
]
