// How commands are told which files to read.
import type { Operand, Option } from './command.ts'

export const fileOption: Option = {
  name: 'file', short: 'f', value: 'FILE', repeats: true, required: true, sentence: 'A file or folder of YAML or JSON; - for standard input.',
}
export const fileOperand: Operand = { name: 'FILE', repeats: true, sentence: 'More files, as after -f.' }
