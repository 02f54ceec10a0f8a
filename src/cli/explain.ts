// `trysail explain`: what the mesh would do with one request, without sending it.
import { explainText } from './explain/text.ts'
import { answer } from './explain/answer.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { liveAnswer } from './explain/live.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { readOffline } from './offline.ts'
import { outputOf, outputOption, print } from './print.ts'
import { adminAddress } from './proxy-address.ts'
import { parseRequest } from './request-line.ts'
import { keysNote, tokenOptions, withToken } from './token-options.ts'
import { UsageError } from './usage-error.ts'

export const command: Command = {
  summary: 'Says what the mesh would do with a request, and why.',
  about: `Makes the configuration of the client's proxy from the files and runs the proxy's own matchers on it; nothing is sent.
Each line of the answer names the file and line that it comes from. Invalid resources are reported and left out.
Tokens are verified, by keys in the files or those of --jwks.
With --proxy or --admin a running proxy answers, by what it has accepted and what it knows of its endpoints now; tokens it does not look into.`,
  operands: [fileOperand],
  options: [
    { ...fileOption, required: false },
    { name: 'from', value: 'NS/WORKLOAD', sentence: 'Who sends it: a Pod, Process or Deployment; or a Gateway, for a request from outside.' },
    { name: 'request', value: "'METHOD URL'", required: true, sentence: "The request: 'GET http://reviews:9080/reviews/1'; or a connection: 'TCP db:5432', 'TLS db:5432'." },
    { name: 'header', short: 'H', value: "'NAME: VALUE'", repeats: true, sentence: 'A header of the request.' },
    ...tokenOptions,
    { name: 'sni', value: 'NAME', sentence: 'The server name of the ClientHello, where it is not the host.' },
    { name: 'proxy', value: 'NAME', sentence: 'Asks the running proxy of this workload or gateway on this machine instead of files: reviews-v1 or reviews-v1.default.' },
    { name: 'admin', value: 'HOST:PORT', sentence: "Asks the running proxy with this admin address." },
    outputOption,
  ],
  examples: [
    "trysail explain -f samples/bookinfo/mesh --from default/productpage-v1 --request 'GET http://reviews:9080/reviews/1' --header 'end-user: jason'",
    "trysail explain -f samples/bookinfo/mesh --from default/bookinfo-gateway --request 'GET http://localhost:8080/productpage' -o json",
    "trysail explain --proxy productpage-v1 --request 'GET http://reviews:9080/reviews/1'",
  ],
  async run(invocation, io) {
    const asked = withToken(parseRequest(invocation.text('request') ?? '', invocation.list('header'), invocation.text('sni')), invocation.text('token'))
    const format = outputOf(invocation.text('output'))
    if (wantsLive(invocation)) {
      const [name, admin] = [invocation.text('proxy'), invocation.text('admin')]
      print(io, format, await liveAnswer(adminAddress(admin, name), name ?? admin ?? '', asked), explainText)
      return exitCode.fine
    }
    const { healthy, ...world } = await readOffline(invocation, io)
    const note = keysNote(asked, world.state.snapshot)
    if (note !== undefined) io.stderr(`${note}\n`)
    print(io, format, await answer(world, invocation.text('from') ?? '', asked), explainText)
    return healthy ? exitCode.fine : exitCode.findings
  },
}

/** Throws `UsageError` where neither files nor a proxy can be asked, or both. */
function wantsLive(invocation: Invocation): boolean {
  const live = invocation.text('proxy') !== undefined || invocation.text('admin') !== undefined
  const files = invocation.list('file').length + invocation.operands.length > 0
  const from = invocation.text('from') !== undefined
  if (live && (files || from)) throw new UsageError(['--file and --from are for files, --proxy and --admin for a running proxy: give one or the other'])
  if (live) return true
  const missing = [...(files ? [] : ['-f, --file FILE is needed, or --proxy']), ...(from ? [] : ['--from NS/WORKLOAD is needed'])]
  if (missing.length > 0) throw new UsageError(missing)
  return false
}
