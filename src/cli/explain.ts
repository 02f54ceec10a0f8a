// `trysail explain`: what the mesh would do with one request, without sending it.
import { explainText } from './explain-text.ts'
import { answer } from './explain-answer.ts'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { readOffline } from './offline.ts'
import { outputOf, outputOption, print } from './print.ts'
import { parseRequest } from './request-line.ts'

export const command: Command = {
  summary: 'Says what the mesh would do with a request, and why.',
  about: `Makes the configuration of the client's proxy from the files and runs the proxy's own matchers on it; nothing is sent.
Each line of the answer names the file and line that it comes from. Invalid resources are reported and left out.`,
  operands: [fileOperand],
  options: [
    fileOption,
    { name: 'from', value: 'NS/WORKLOAD', required: true, sentence: 'Who sends it: a Pod, Process or Deployment; or a Gateway, for a request from outside.' },
    { name: 'request', value: "'METHOD URL'", required: true, sentence: "The request: 'GET http://reviews:9080/reviews/1'; or a connection: 'TCP db:5432', 'TLS db:5432'." },
    { name: 'header', short: 'H', value: "'NAME: VALUE'", repeats: true, sentence: 'A header of the request.' },
    { name: 'sni', value: 'NAME', sentence: 'The server name of the ClientHello, where it is not the host.' },
    outputOption,
  ],
  examples: [
    "trysail explain -f samples/bookinfo/mesh --from default/productpage-v1 --request 'GET http://reviews:9080/reviews/1' --header 'end-user: jason'",
    "trysail explain -f samples/bookinfo/mesh --from default/bookinfo-gateway --request 'GET http://localhost:8080/productpage' -o json",
  ],
  async run(invocation, io) {
    const asked = parseRequest(invocation.text('request') ?? '', invocation.list('header'), invocation.text('sni'))
    const { healthy, ...world } = await readOffline(invocation, io)
    print(io, outputOf(invocation.text('output')), answer(world, invocation.text('from') ?? '', asked), explainText)
    return healthy ? exitCode.fine : exitCode.findings
  },
}
