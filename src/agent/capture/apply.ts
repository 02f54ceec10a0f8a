// Puts the rules of a workload's capture in place in a network namespace, and takes them away again: what is there already is
// left alone, what differs is replaced in one transaction, so that no connection ever meets half of it. There are two ways to
// speak to the kernel's packet filter, and rules of both would stand beside each other: those of the other one go.
import type { Backend, Standing } from './backend.ts'
import { hasCode } from '../../lib/errors.ts'
import type { CaptureSettings } from './capture-settings.ts'
import { runCommand } from './commands.ts'
import type { RunCommand } from './commands.ts'
import { iptablesBackend } from './iptables-backend.ts'
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
  // Only now: meanwhile the kernel redirects each connection once, by whichever comes first.
  const beside = await besides(backend, run)
  await beside?.remove(run)
  return beside !== undefined || (standing === 'equal' && !routed) ? 'other' : standing
}

/** Whoever applied it. Harmless where nothing is captured. */
export async function removeCapture({ backend = nftBackend, run = runCommand }: CapturePlace = {}): Promise<void> {
  await backend.remove(run)
  await (await besides(backend, run))?.remove(run)
  await removeRouting(run)
}

export interface CaptureStanding {
  /** Whether the rules stand that these settings ask for. */
  readonly rules: Standing
  /** By whom rules of ours stand beside those. */
  readonly beside: Backend['name'] | undefined
}

export async function captureStands(settings: CaptureSettings, { backend = nftBackend, run = runCommand }: CapturePlace = {}): Promise<CaptureStanding> {
  const rules = captureRules(settings)
  const standing = await backend.standing(run, rules)
  const beside = (await besides(backend, run))?.name
  return { rules: standing === 'equal' && (beside !== undefined || !(await routingStands(run, rules))) ? 'other' : standing, beside }
}

const backends: readonly Backend[] = [nftBackend, iptablesBackend]

/** The other one, where rules of ours stand by it. */
async function besides({ name }: Backend, run: RunCommand): Promise<Backend | undefined> {
  for (const other of backends) {
    if (other.name !== name && (await anyOf(other, run))) return other
  }
  return undefined
}

/** What is not installed, or not to be had here, has not put anything in place either. */
async function anyOf(backend: Backend, run: RunCommand): Promise<boolean> {
  try {
    return await backend.stands(run)
  } catch (error) {
    if (hasCode(error, 'agent/no-program') || hasCode(error, 'agent/no-kernel') || hasCode(error, 'agent/no-permission')) return false
    throw error
  }
}
