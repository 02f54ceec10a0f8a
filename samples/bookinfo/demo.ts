// `npm run demo`: starts the Bookinfo mesh on this machine, shows what runs, and walks through what it does, each step with
// what was expected beside what real requests observed. The steps are in guide/; the mesh is `trysail run`'s own.
import { delimiter, dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArguments } from '../../src/cli/arguments.ts'
import { exitCode } from '../../src/cli/command.ts'
import type { Io, Option } from '../../src/cli/command.ts'
import { commandHelp } from '../../src/cli/help.ts'
import { processIo } from '../../src/cli/process-io.ts'
import { runLog } from '../../src/cli/run/log.ts'
import type { RunLog } from '../../src/cli/run/log.ts'
import { captureModes, startMesh } from '../../src/cli/run/mesh.ts'
import type { Mesh } from '../../src/cli/run/mesh.ts'
import { UsageError } from '../../src/cli/usage-error.ts'
import { MeshError, hasCode } from '../../src/lib/errors.ts'
import { knock, openClient } from './guide/client.ts'
import { copyMesh } from './guide/folder.ts'
import type { MeshFolder } from './guide/folder.ts'
import type { Observation } from './guide/observation.ts'
import { picture, terminalShow } from './guide/show.ts'
import type { Show } from './guide/show.ts'
import type { Tour } from './guide/step.ts'
import { steps } from './guide/table.ts'

const options: readonly Option[] = [
  { name: 'once', sentence: 'Ends after the tour: exit code 0 only if all that was observed is what was expected.' },
  { name: 'no-tour', sentence: 'Only runs the mesh, on the sample itself, until Ctrl-C.' },
  { name: 'capture', value: 'HOW', choices: captureModes, initial: 'env', sentence: "As of 'trysail run': netns gives each service a network of its own." },
  { name: 'port', value: 'PORT', initial: '8080', sentence: 'Where the ingress gateway listens; 0 takes any free port.' },
  { name: 'output', short: 'o', value: 'FORMAT', choices: ['text', 'json'], initial: 'text', sentence: 'json prints the observations as one JSON object at the end.' },
  { name: 'verbose', short: 'v', sentence: 'Shows what the mesh and its processes log.' },
]

interface StepResult {
  readonly title: string
  readonly ms: number
  readonly observations: readonly Observation[]
}

async function demo(args: readonly string[], io: Io): Promise<number> {
  const command = { summary: 'Runs the Bookinfo mesh and a tour of it.', operands: [], options, examples: ['npm run demo -- --once'], run: () => Promise.resolve(0) }
  const given = parseArguments(args, command)
  if (given.flag('help')) {
    io.stdout(commandHelp('demo', command))
    return exitCode.fine
  }
  const json = given.text('output') === 'json'
  const show = terminalShow(json ? () => {} : io.stdout, io.color)
  const accessLog: string[] = []
  const warnings: string[] = []
  const folder = copyMesh()
  const began = performance.now()
  const mesh = await startMesh({
    files: [folder.path],
    watch: true,
    capture: given.text('capture') === 'netns' ? 'netns' : 'env',
    stateDir: folder.state,
    gateways: { host: '127.0.0.1', ports: new Map([[8080, portOf(given.text('port'))]]), privileged: false },
    verbose: given.flag('verbose'),
    log: noting(warnings, given.flag('verbose') && !json ? runLog(io.stdout, { color: io.color }) : runLog(() => {}, { color: false })),
    accessLog: (_, line) => keep(accessLog, line),
  })
  try {
    // A dozen processes begin at once, on a machine that may have other things to do.
    if (!(await mesh.ready(60_000))) throw new MeshError('run/start', notUp(`the mesh is not up after 60 s: it waits for ${mesh.missing.join(', ')}`, warnings))
    const startedMs = performance.now() - began
    const url = gatewayUrl(mesh, warnings)
    introduce(show, mesh, url, startedMs)
    const results = given.flag('no-tour') ? [] : await walk({ mesh, url, folder, show, accessLog, stop: io.stop })
    const ok = results.every(({ observations }) => observations.every((one) => one.ok))
    if (!given.flag('no-tour')) sumUp(show, results, startedMs)
    if (json) io.stdout(`${JSON.stringify({ ok, startedMs: Math.round(startedMs), url, steps: results }, null, 2)}\n`)
    if (!given.flag('once') && !io.stop.aborted) await keepRunning(show, url, folder, io.stop)
    return ok && !(given.flag('once') && io.stop.aborted) ? exitCode.fine : exitCode.findings
  } finally {
    await mesh.stop()
    folder.delete()
  }
}

function portOf(text = '8080'): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new UsageError([`--port must be a port, not ${JSON.stringify(text)}`])
}

/** Enough for the steps that look into it; the demo may run for days. */
function keep(accessLog: string[], line: string): void {
  accessLog.push(line)
  if (accessLog.length > 20_000) accessLog.splice(0, 10_000)
}

/** What goes wrong at the start is shown if the start fails. */
function noting(warnings: string[], log: RunLog): RunLog {
  return {
    ...log,
    warn(about, text) {
      if (warnings.length < 20) warnings.push(`${about}: ${text}`)
      log.warn(about, text)
    },
  }
}

const notUp = (what: string, warnings: readonly string[]): string => [what, ...warnings.map((line) => `  ${line}`)].join('\n')

function gatewayUrl(mesh: Mesh, warnings: readonly string[]): string {
  const gateway = mesh.gateways[0]
  if (gateway === undefined) throw new MeshError('run/start', notUp('the gateway does not listen; --port chooses another port, 0 any free one', warnings))
  return `http://${gateway.address.host}:${gateway.address.port}`
}

function introduce(show: Show, mesh: Mesh, url: string, startedMs: number): void {
  const processes = mesh.processes.filter(({ pid }) => pid !== undefined)
  show.line(`${show.bold('Bookinfo')} is up after ${(startedMs / 1000).toFixed(1)} s: ${show.bold(`${url}/productpage`)}`)
  show.line(picture.replace(/\n$/, ''))
  for (const { name, pid, identity } of processes) show.line(`    ${name.padEnd(16)} pid ${String(pid).padEnd(8)} ${show.dim(identity)}`)
}

interface WalkParts {
  readonly mesh: Mesh
  readonly url: string
  readonly folder: MeshFolder
  readonly show: Show
  readonly accessLog: readonly string[]
  readonly stop: AbortSignal
}

async function walk({ mesh, url, folder, show, accessLog, stop }: WalkParts): Promise<StepResult[]> {
  const client = openClient(url)
  const results: StepResult[] = []
  const tour: Tour = {
    client,
    folder,
    did: (text) => show.did(text),
    until,
    accessLog: () => accessLog,
    knock: (url) => knock(url, mesh.entering),
    async edit(change) {
      const before = mesh.edits
      change()
      if (!(await mesh.settled(before, 5000))) show.did('(not every proxy has said within 5 s that the edit is in effect)')
    },
    processes: () => mesh.processes.map(({ name, pid, state, inbound }) => ({ name, pid, state, inbound: inbound[0] })),
  }
  for (const [i, step] of steps.entries()) {
    if (stop.aborted) break
    show.heading(i + 1, step.title)
    const began = performance.now()
    const observations = await step.run(tour).catch((error: unknown): Observation[] => [
      { what: 'the step itself', expected: 'runs', observed: String(error), ok: false },
    ])
    show.observations(observations)
    results.push({ title: step.title, ms: Math.round(performance.now() - began), observations })
  }
  client.close()
  return results
}

async function until(condition: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<boolean> {
  const deadline = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > deadline) return false
    await sleep(5)
  }
  return true
}

function sumUp(show: Show, results: readonly StepResult[], startedMs: number): void {
  const all = results.flatMap(({ observations }) => observations)
  const wrong = all.filter(({ ok }) => !ok).length
  const seconds = (results.reduce((sum, { ms }) => sum + ms, startedMs) / 1000).toFixed(0)
  show.line(`\n${wrong === 0 ? show.bold(`All ${all.length} observations are as expected`) : `${wrong} of ${all.length} observations are NOT as expected`} (${results.length} steps, ${seconds} s).`)
}

async function keepRunning(show: Show, url: string, folder: MeshFolder, stop: AbortSignal): Promise<void> {
  show.line(`\nThe mesh goes on: ${show.bold(`${url}/productpage`)}. Edit the files in ${folder.path} and watch it change; Ctrl-C ends it.`)
  if (stop.aborted) return
  await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }))
}

// The services are TypeScript: they need the Node that runs this, wherever the demo was started from.
process.env['PATH'] = [dirname(process.execPath), process.env['PATH']].join(delimiter)
const io = processIo()
process.exitCode = await demo(process.argv.slice(2), io).catch((error: unknown) => {
  const mistakes = error instanceof UsageError ? error.mistakes : [hasCode(error, 'run/start') ? (error as Error).message : error instanceof Error ? (error.stack ?? error.message) : String(error)]
  for (const mistake of mistakes) io.stderr(`demo: ${mistake}\n`)
  return error instanceof UsageError ? exitCode.usage : exitCode.findings
})
