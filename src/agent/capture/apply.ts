// Puts the rules of a workload's capture in place in a network namespace, and takes them away again: what is there already is
// left alone, what differs is replaced in one transaction, so that no connection ever meets half of it.
import type { Backend, Standing } from './backend.ts'
import type { CaptureSettings } from './capture-settings.ts'
import { runCommand } from './commands.ts'
import type { RunCommand } from './commands.ts'
import { nftBackend } from './nft-backend.ts'
import { applyRouting, removeRouting, routingStands } from './routing.ts'
import { captureRules } from './rules.ts'

export interface CapturePlace {
  readonly backend?: Backend
  /** Runs programs in the namespace that is meant: without it, in this process's own. */
  readonly run?: RunCommand
}

/** What was there before: nothing, exactly this, or something else that is replaced now. */
export type Applied = Standing

/** Rejects with a `CaptureError`; then what was there before is there still. */
export async function applyCapture(settings: CaptureSettings, { backend = nftBackend, run = runCommand }: CapturePlace = {}): Promise<Applied> {
  const rules = captureRules(settings)
  const standing = await backend.standing(run, rules)
  const routed = await routingStands(run, rules)
  if (!routed) await applyRouting(run, rules)
  if (standing !== 'equal' && (standing !== 'none' || rules.tables.length > 0)) await backend.apply(run, rules)
  return standing === 'equal' && !routed ? 'other' : standing
}

/** Harmless where nothing is captured. */
export async function removeCapture({ backend = nftBackend, run = runCommand }: CapturePlace = {}): Promise<void> {
  await backend.remove(run)
  await removeRouting(run)
}

/** Whether the rules stand that these settings ask for. */
export async function captureStands(settings: CaptureSettings, { backend = nftBackend, run = runCommand }: CapturePlace = {}): Promise<Standing> {
  const rules = captureRules(settings)
  const standing = await backend.standing(run, rules)
  return standing === 'equal' && !(await routingStands(run, rules)) ? 'other' : standing
}
