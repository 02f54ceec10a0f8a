// `trysail run`: the mesh of the given files on this machine, until Ctrl-C.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from '../lib/errors.ts'
import { formatAddress } from '../model/address.ts'
import { exitCode } from './command.ts'
import type { Command, Io, Invocation } from './command.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { runLog } from './run/log.ts'
import { captureModes, defaultStateDir, startMesh } from './run/mesh.ts'
import type { Mesh, MeshOptions } from './run/mesh.ts'
import { UsageError } from './usage-error.ts'

/** How long a mesh may take to come up before it is said what is missing. */
const slowMs = 20_000

export const command: Command = {
  summary: 'Runs the mesh of these files on this machine: control plane, proxies, processes.',
  about: `Starts a control plane with its CA, a sidecar for every Process, a gateway for every Gateway, and the Processes themselves,
without root, Docker or a cluster. A program finds where to listen in PORT (PORT_<NAME>), and the services of its namespace in
<SERVICE>_SERVICE_HOST and <SERVICE>_SERVICE_PORT; HTTP_PROXY reaches every host of the mesh. All of them lead through its own sidecar.
With --capture netns (Linux; root, or user namespaces) each Process has a network of its own instead: the kernel brings all of its
traffic to its sidecar, services are found by DNS, and the program needs to know nothing.`,
  operands: [fileOperand],
  options: [
    fileOption,
    { name: 'watch', short: 'w', sentence: 'Follows the files: an edit takes effect at once, new Processes start, removed ones end.' },
    { name: 'capture', value: 'HOW', choices: captureModes, initial: 'env', sentence: "env: programs reach the mesh by their environment. netns: each has a Linux network of its own, and all its traffic goes through its sidecar, whatever it does." },
    { name: 'gateway-port', value: 'PORT=LOCAL', repeats: true, sentence: "Where a gateway's port is on this machine; 0 takes any free one. Without it: the port itself, or 8000 more where it needs root." },
    { name: 'gateway-address', value: 'IP', initial: '127.0.0.1', sentence: 'Address that gateways listen on. 0.0.0.0 lets others in.' },
    { name: 'state-dir', value: 'DIR', initial: '~/.local/state/trysail', sentence: 'Where the CA keeps its root key.' },
    { name: 'audit-log', value: 'FILE', initial: 'audit.log in the state folder', sentence: 'Where denials, certificates, joins and changes of the files are written down; none: nowhere.' },
    { name: 'quiet', short: 'q', sentence: 'Leaves out the access log and what the programs print.' },
    { name: 'verbose', short: 'v', sentence: 'Also says who connects and which certificates are issued.' },
  ],
  examples: ['trysail run -f mesh/ --watch', 'trysail run -f mesh/ --capture netns', 'trysail run -f mesh/ --gateway-port 80=9000'],
  async run(invocation, io) {
    const options = optionsOf(invocation, io)
    const missing = options.watch ? [] : options.files.filter((file) => !existsSync(file))
    if (missing.length > 0) {
      for (const file of missing) io.stderr(`trysail run: ${file}: there is no such file or folder (with --watch it would be waited for)\n`)
      return exitCode.findings
    }
    let mesh: Mesh
    try {
      mesh = await startMesh(options)
    } catch (error) {
      io.stderr(`trysail run: ${describe(error)}\n`)
      return exitCode.findings
    }
    try {
      await untilStopped(mesh, options, io)
    } finally {
      await mesh.stop()
    }
    return exitCode.fine
  },
}

function optionsOf(invocation: Invocation, io: Io): MeshOptions {
  const files = [...invocation.list('file'), ...invocation.operands]
  if (files.includes('-')) throw new UsageError(['run follows files and folders; standard input has no folder to run programs in'])
  const quiet = invocation.flag('quiet')
  const log = runLog(io.stdout, { color: io.color })
  const stateDir = invocation.text('state-dir') ?? defaultStateDir()
  return {
    files,
    watch: invocation.flag('watch'),
    capture: invocation.text('capture') === 'netns' ? 'netns' : 'env',
    gateways: {
      host: invocation.text('gateway-address') ?? '127.0.0.1',
      ports: gatewayPorts(invocation.list('gateway-port')),
      privileged: process.getuid?.() === 0,
    },
    stateDir,
    auditLog: invocation.text('audit-log') ?? join(stateDir, 'audit.log'),
    verbose: invocation.flag('verbose'),
    log: quiet ? { ...log, output: () => {} } : log,
    accessLog: quiet ? () => {} : (proxy, line) => log.output(proxy, line, 'stdout'),
  }
}

/** `80=8080`, any number of them. */
export function gatewayPorts(given: readonly string[]): ReadonlyMap<number, number> {
  const pairs = given.map((text) => {
    const [, from, to] = /^(\d{1,5})=(\d{1,5})$/.exec(text) ?? []
    const pair = [Number(from), Number(to)] as const
    if (from === undefined || pair.some((port) => port > 65_535)) throw new UsageError([`--gateway-port must be PORT=LOCAL such as 80=8080, not ${JSON.stringify(text)}`])
    return pair
  })
  for (const [i, [from, to]] of pairs.entries()) {
    const twin = pairs.slice(0, i).find((one) => (to !== 0 && one[1] === to) || one[0] === from)
    if (twin !== undefined) throw new UsageError([twin[0] === from ? `--gateway-port: ${from} is placed twice` : `--gateway-port: ${twin[0]} and ${from} cannot both be ${to}`])
  }
  return new Map(pairs)
}

async function untilStopped(mesh: Mesh, { log }: MeshOptions, { stop }: Io): Promise<void> {
  const stopped = new Promise<false>((resolve) => {
    if (stop.aborted) resolve(false)
    stop.addEventListener('abort', () => resolve(false), { once: true })
  })
  while (!stop.aborted && !(await Promise.race([mesh.ready(slowMs), stopped]))) {
    if (!stop.aborted) for (const one of mesh.missing) log.warn('mesh', `still waiting for ${one}`)
  }
  if (!stop.aborted) {
    const doors = mesh.gateways.map(({ name, url }) => `${name} on ${url}`)
    log.say('mesh', `up: ${mesh.processes.length} processes${doors.length === 0 ? '' : `, ${doors.join(', ')}`}; debug pages on http://${formatAddress(mesh.control.debug)}; Ctrl-C ends it`)
  }
  await stopped
}
