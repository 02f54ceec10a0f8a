// `trysail control roots`: the certificates by which proxies know their control plane and each other.
import { openCa } from '../control/ca/ca.ts'
import { caFolder } from '../control/ca/signing.ts'
import { controlEnvPrefix, controlSettingsTable } from '../control/settings.ts'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { controlStateOf, controlStateOptions } from './control-state.ts'
import { settingsOf, settingsOptions } from './settings-options.ts'

const { caDir } = controlSettingsTable

export const command: Command = {
  summary: 'Prints the root certificates of the control plane, as PEM.',
  about: 'They are public. A proxy on another host gets them as --root-ca-file.',
  operands: [],
  options: [...controlStateOptions, ...settingsOptions({ caDir }, controlEnvPrefix)],
  examples: ['trysail control roots > roots.pem'],
  async run(invocation, io) {
    const own = settingsOf({ caDir }, { envPrefix: controlEnvPrefix, env: process.env }, invocation)
    const { roots } = await openCa(own.caDir === '' ? controlStateOf(invocation) : { stateDir: '', trustDomain: '', given: caFolder(own.caDir, 'any') })
    io.stdout(`${roots.trimEnd()}\n`)
    return exitCode.fine
  },
}
