// `trysail validate`: whether files are fit for the mesh, object by object, without a mesh.
import { readFiles } from '../sources/files/read.ts'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { outputOf, outputOption, print } from './print.ts'
import { asJson, isValid, resultsOf } from './validate-results.ts'
import { asText } from './validate-text.ts'

export const command: Command = {
  summary: 'Checks files: every mistake with its line, and what is not served yet.',
  about: `Knows every field of Istio's kinds and of the Kubernetes kinds that the mesh reads. What is valid and has no effect here is a warning.
References to hosts, subsets and gateways are checked as far as the given files tell.`,
  operands: [fileOperand],
  options: [fileOption, outputOption],
  examples: ['trysail validate -f mesh/', 'kubectl get virtualservices -A -o yaml | trysail validate -f - -o json'],
  async run(invocation, io) {
    const paths = [...invocation.list('file'), ...invocation.operands]
    const stdin = paths.includes('-') ? await io.stdin() : undefined
    const results = resultsOf(await readFiles(paths, { stdin }))
    const format = outputOf(invocation.text('output'))
    if (format === 'text') io.stdout(asText(results, io.color))
    else print(io, format, asJson(results), () => '')
    return results.every(isValid) ? exitCode.fine : exitCode.findings
  },
}
