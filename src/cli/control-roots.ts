// `trysail control roots`: the certificates by which proxies know their control plane and each other.
import { openCa } from '../control/ca/ca.ts'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { controlStateOf, controlStateOptions } from './control-state.ts'

export const command: Command = {
  summary: 'Prints the root certificates of the control plane, as PEM.',
  about: 'They are public. A proxy on another host gets them as --root-ca-file.',
  operands: [],
  options: controlStateOptions,
  examples: ['trysail control roots > roots.pem'],
  async run(invocation, io) {
    const { roots } = await openCa(controlStateOf(invocation))
    io.stdout(`${roots.trimEnd()}\n`)
    return exitCode.fine
  },
}
