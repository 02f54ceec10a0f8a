// What a control plane keeps on disk, for the commands that read it. They make nothing of their own: a wrong folder would
// become the home of a second root, and nobody would know why proxies are refused.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { controlEnvPrefix, controlSettingsTable } from '../control/settings.ts'
import { MeshError } from '../lib/errors.ts'
import type { Invocation } from './command.ts'
import { settingsOf, settingsOptions } from './settings-options.ts'

/** Of the control plane's settings, those that say which one is meant. */
const { stateDir, trustDomain } = controlSettingsTable
const table = { stateDir, trustDomain }

export const controlStateOptions = settingsOptions(table, controlEnvPrefix)

/** Throws `cli/no-state` where no control plane has kept anything yet. */
export function controlStateOf(invocation: Invocation): { readonly stateDir: string; readonly trustDomain: string } {
  const state = settingsOf(table, { envPrefix: controlEnvPrefix, env: process.env }, invocation)
  // One with a CA of somebody else keeps no root.
  if (!['ca', 'tokens'].some((folder) => existsSync(join(state.stateDir, folder)))) {
    throw new MeshError('cli/no-state', `no control plane has kept its root in ${state.stateDir}: start 'trysail control' first, or name its --state-dir`)
  }
  return state
}
