// `trysail proxy-status`: which proxies are connected to the control plane, and what each has taken.
import { MeshError } from '../lib/errors.ts'
import type { Address } from '../model/address.ts'
import { parseAddress } from '../model/address.ts'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { fetchJson } from './fetch-json.ts'
import { outputOf, outputOption, print, table } from './print.ts'
import { findRunning } from './running.ts'
import { UsageError } from './usage-error.ts'

interface TypeStatus {
  readonly sent: number
  readonly acked: number
  readonly nacked: number
  readonly generation: number
  readonly state?: string
  readonly error?: string
}

interface ProxyStatus {
  readonly proxies: readonly {
    readonly node: string
    readonly version: string
    readonly connectedFor: string
    readonly types: Readonly<Record<string, TypeStatus>>
  }[]
}

const types = ['CDS', 'LDS', 'EDS', 'RDS', 'SDS']

export const command: Command = {
  summary: 'Shows the connected proxies and what each has taken.',
  about: 'SYNCED: taken. STALE: sent, not answered yet. ERROR: refused (why is shown below). NOT_SENT: there is nothing to send.',
  operands: [{ name: 'NAME', sentence: 'Only proxies of this workload: reviews-v1 or reviews-v1.default.' }],
  options: [
    { name: 'control', value: 'HOST:PORT', sentence: "The control plane's debug address. Default: the one that runs on this machine." },
    outputOption,
  ],
  examples: ['trysail proxy-status', 'trysail proxy-status reviews-v1 -o json'],
  async run(invocation, io) {
    const found = (await fetchJson(debugAddress(invocation.text('control')), '/debug/syncz')) as ProxyStatus
    const [name] = invocation.operands
    const status = { proxies: found.proxies.filter(({ node }) => name === undefined || isNamed(node, name)) }
    print(io, outputOf(invocation.text('output')), status, asText)
    return exitCode.fine
  },
}

function debugAddress(given: string | undefined): Address {
  if (given !== undefined) {
    const address = parseAddress(given)
    if (address === undefined) throw new UsageError([`--control must be HOST:PORT, not ${JSON.stringify(given)}`])
    return address
  }
  const running = findRunning().flatMap(({ debug }) => debug ?? [])
  if (running[0] === undefined) throw new MeshError('cli/not-running', "no control plane runs here ('trysail run' or 'trysail control'); --control names another")
  return running[0]
}

/** `sidecar~127.0.0.1~reviews-v1.default~...` */
const isNamed = (node: string, name: string): boolean => {
  const instance = node.split('~')[2] ?? ''
  return instance === name || instance.slice(0, instance.lastIndexOf('.')) === name
}

function asText({ proxies }: ProxyStatus): string {
  const rows = proxies.map(({ node, version, connectedFor, types: of }) => [
    node.split('~')[2] ?? node, node.split('~')[0] ?? '', version, connectedFor, ...types.map((type) => of[type]?.state ?? 'NOT_SENT'),
  ])
  const errors = proxies.flatMap(({ node, types: of }) =>
    Object.entries(of).flatMap(([type, { error }]) => (error ? [`${node.split('~')[2]} refuses ${type}: ${error}\n`] : [])),
  )
  return table(['NAME', 'TYPE', 'VERSION', 'CONNECTED', ...types], rows) + errors.join('')
}
