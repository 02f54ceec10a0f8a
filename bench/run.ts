// `npm run bench`: starts upstreams, nginx, HAProxy and our own mesh, puts them under the same load in turns, and says what
// a request costs each. What is compared is in scenarios.ts, how it is measured in measure.ts.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Children } from './children.ts'
import { openGenerator } from './load/load.ts'
import type { LoadGenerator } from './load/load.ts'
import { measure } from './measure.ts'
import type { Measured } from './measure.ts'
import { measureMemory, memoryTable } from './memory.ts'
import type { Clients, MemoryFigures } from './memory.ts'
import { readOptions, usage } from './options.ts'
import type { BenchOptions } from './options.ts'
import { loadOf, scenarios } from './scenarios.ts'
import type { Bar, Scenario } from './scenarios.ts'
import { markdownTable, rateTable, ratioTo, summarize } from './table.ts'
import type { Summary } from './table.ts'
import { envoyMissing } from './twins/envoy.ts'
import { hasNghttp2 } from './twins/nghttp2.ts'
import { openWorld } from './world.ts'
import type { WorldOptions } from './world.ts'

interface JudgedBar extends Bar {
  readonly ratio: number
  readonly held: boolean
}

interface ScenarioResult {
  readonly name: string
  readonly title: string
  readonly bars: readonly JudgedBar[]
  readonly summary: readonly Summary[]
  readonly measured: readonly Measured[]
}

/** Throws with what to install. */
function versions(): Record<string, string> {
  const ask = (name: string, flag: string): string => {
    try {
      return execFileSync('sh', ['-c', `${name} ${flag} 2>&1`], { encoding: 'utf8', stdio: 'pipe' }).split('\n')[0]!
    } catch (error) {
      throw new Error(`${name} is missing: apt-get install nginx haproxy gcc libssl-dev`, { cause: error })
    }
  }
  return { node: process.version, nginx: ask('nginx', '-v'), haproxy: ask('haproxy', '-v'), kernel: release(), cpu: `${cpus().length} x ${cpus()[0]?.model ?? ''}` }
}

async function runScenario(scenario: Scenario, options: BenchOptions, generator: LoadGenerator): Promise<ScenarioResult> {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-bench-'))
  try {
    await using children = new Children()
    const world = await openWorld(folder, children, worldOf(options))
    const contenders = await scenario.start(world)
    const measured = await measure(contenders, {
      generator, folder, rounds: options.rounds, warmupSeconds: Math.min(5, options.seconds * 3),
      load: { connections: options.connections, ...loadOf(scenario, folder), seconds: options.seconds },
      rate: options.rate === 0 ? scenario.rate : options.rate,
    })
    const summary = summarize(measured)
    const { name, title } = scenario
    return { name, title, bars: scenario.bars.flatMap((bar) => judge(bar, measured)), summary, measured }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const worldOf = ({ nodeFlags, base, withoutEnvoy }: BenchOptions): WorldOptions => ({ nodeFlags, base, withEnvoy: !withoutEnvoy && envoyMissing() === undefined })

/** Ours is the last one. A bar against what is not here says nothing. */
function judge(bar: Bar, measured: readonly Measured[]): readonly JudgedBar[] {
  const peer = measured.find(({ name }) => name === bar.against)
  if (peer === undefined) return []
  const ratio = ratioTo(measured.at(-1)!, peer, bar.of)
  return [{ ...bar, ratio, held: ratio <= bar.most }]
}

/** Of clients of the gateway, or of the server's sidecar, that are idle or all ask at once. */
async function runMemory(of: 'gateway' | 'inbound', clients: Clients, options: BenchOptions, generator: LoadGenerator): Promise<readonly MemoryFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-bench-'))
  try {
    await using children = new Children()
    const scenario = scenarios.find((one) => one.name === of)!
    const contenders = await scenario.start(await openWorld(folder, children, worldOf(options)))
    return await measureMemory(contenders, generator, clients, loadOf(scenario, folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const memories = [
  ['Memory: idle plain connections to the gateway', 'gateway', 'idle'],
  ["Memory: idle connections of mutual TLS to the server's sidecar", 'inbound', 'idle'],
  ['Memory: connections to the gateway that all ask at once', 'gateway', 'active'],
] as const

const isWanted = (name: string, { only }: BenchOptions): boolean => only.length === 0 || only.includes(name)

function report({ title, bars, summary }: ScenarioResult): void {
  console.log(markdownTable(title, summary))
  const ofRate = rateTable(summary)
  if (ofRate !== '') console.log(ofRate)
  for (const { against, most, of, ratio, held } of bars) console.log(`bar: at most ${most} times ${against}${of === 'p999' ? ' in p99.9' : ''}: ${held ? 'held' : 'NOT held'} (${ratio.toFixed(2)})`)
  if (bars.length > 0) console.log()
}

async function main(options: BenchOptions): Promise<number> {
  const about = versions()
  const folder = mkdtempSync(join(tmpdir(), 'trysail-load-'))
  try {
    const generator = openGenerator(folder)
    if (generator.missing !== undefined) console.error(generator.missing)
    const withoutEnvoy = options.withoutEnvoy ? undefined : envoyMissing()
    if (withoutEnvoy !== undefined) console.error(`no comparison with Envoy: ${withoutEnvoy}`)
    const results: ScenarioResult[] = []
    for (const scenario of scenarios.filter(({ name }) => isWanted(name, options))) {
      if ((scenario.tls || scenario.rate !== undefined) && generator.missing !== undefined) continue
      if (scenario.load?.h2 !== undefined && !hasNghttp2()) {
        console.error(`${scenario.name} is left out: apt-get install nghttp2`)
        continue
      }
      const result = await runScenario(scenario, options, generator)
      report(result)
      results.push(result)
    }
    const memory: Record<string, readonly MemoryFigures[]> = {}
    for (const [title, of, clients] of isWanted('memory', options) && generator.missing === undefined ? memories : []) {
      memory[title] = await runMemory(of, clients, options, generator)
      console.log(memoryTable(title, memory[title]))
    }
    const file = options.json ?? join(import.meta.dirname, 'results', `${new Date().toISOString().replaceAll(':', '-')}.json`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify({ about: { ...about, generator: generator.name }, options, scenarios: results, memory }, undefined, 1)}\n`)
    console.log(`raw figures: ${file}`)
    return options.gate && results.some(({ bars }) => bars.some(({ held }) => !held)) ? 1 : 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
try {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) console.log(usage)
  else process.exitCode = await main(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
