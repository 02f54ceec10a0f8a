// `trysail authn readiness` for people: a table of the workloads, then who would be turned away, one line each.
import type { PlaintextClient, Readiness, WorkloadReadiness } from './authn-readiness.ts'
import { table } from './print.ts'

const words: Readonly<Record<Readiness, string>> = {
  'ready': 'ready', 'not-ready': 'NOT READY', 'no-traffic': 'no traffic seen', 'no-answer': 'NO ANSWER',
}

export function asText({ workloads }: { readonly workloads: readonly WorkloadReadiness[] }): string {
  const rows = workloads.map(({ workload, readiness, mutual, clients, since }) =>
    [workload, words[readiness], String(mutual), String(clients.reduce((sum, { connections }) => sum + connections, 0)), since])
  const heading = ['WORKLOAD', 'STRICT', 'WITH CERTIFICATE', 'WITHOUT', 'COUNTED SINCE']
  return table(heading, rows) + workloads.map(details).join('')
}

function details({ workload, readiness, clients, forgotten, problem }: WorkloadReadiness): string {
  if (problem !== undefined) return `\n${workload}: ${problem}\n`
  if (clients.length === 0 && forgotten === 0) return ''
  const heading = readiness === 'not-ready' ? `${workload}: STRICT would turn away` : `${workload}: turned away already`
  const more = forgotten === 0 ? '' : `  and ${forgotten} more clients that the proxy did not keep\n`
  return `\n${heading}\n${clients.map(line).join('')}${more}`
}

function line({ port, address, workload, connections, refused, last, says }: PlaintextClient): string {
  const who = workload === undefined ? address : `${workload} (${address})`
  const hint = says.length === 0 ? '' : `; calls itself ${says.join(', ')}`
  const gone = refused === 0 ? '' : `, ${refused} refused`
  return `  ${who} on port ${port}: ${connections} connections${gone}, the last at ${last}${hint}\n`
}
