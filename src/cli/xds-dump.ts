// `trysail xds dump`: everything that a proxy would be sent, from files alone.
import { stringify } from 'yaml'
import { dump } from '../control/translate/dump.ts'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { readNodeFile } from './node-file.ts'
import { readOffline } from './offline.ts'
import { outputOf, outputOption, print } from './print.ts'

export const command: Command = {
  summary: 'Shows the xDS that a proxy would be sent.',
  about: `In Envoy's JSON mapping; secrets by their names only. As text it is YAML. Invalid resources are reported and left out.
NODE.json: {"id": "sidecar~10.0.0.1~reviews-v1.default~default.svc.cluster.local", "metadata": {"LABELS": {"app": "reviews"}}},
or router~... for a gateway.`,
  operands: [fileOperand],
  options: [
    fileOption,
    { name: 'node', value: 'NODE.json', required: true, sentence: 'The file that says how the proxy introduces itself.' },
    outputOption,
  ],
  examples: ['trysail xds dump -f samples/bookinfo/mesh --node node.json -o json'],
  async run(invocation, io) {
    const node = readNodeFile(invocation.text('node') ?? '')
    const { state, healthy } = await readOffline(invocation, io)
    let built = true
    const found = dump(node, state.snapshot, ({ type, name, message }) => {
      built = false
      io.stderr(`trysail xds dump: ${type} ${name}: ${message}\n`)
    })
    print(io, outputOf(invocation.text('output')), found, (value) => stringify(JSON.parse(JSON.stringify(value))))
    return healthy && built ? exitCode.fine : exitCode.findings
  },
}
