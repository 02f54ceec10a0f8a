// What one edit costs the control plane in processor time, from the source's state to the last byte for the last proxy, by
// how many services and proxies there are. In one process, without files and sockets: `npm run bench:control`.
import { parseArgs } from 'node:util'
import { adsMethods } from '../src/control/serve/ads.ts'
import { worldSource } from '../src/control/serve/world-source.ts'
import { meshSettings } from '../src/control/mesh-settings.ts'
import { WorldState } from '../src/control/world-state.ts'
import { WorldMerger } from '../src/sources/merge.ts'
import { BenchProxy } from './control/stream.ts'
import { BenchWorld, editNames } from './control/world.ts'
import type { EditName } from './control/world.ts'
import { median } from './table.ts'

const usage = `npm run bench:control -- [options]: processor time of one edit in the control plane.

  --services N,N   how many services (10,100,1000,5000)
  --proxies N,N    how many proxies (1,8,100)
  --namespaces N   in how many namespaces the proxies are: those of one share most of what they get (4)
  --edits N        edits of each kind; their median counts (15)
  --only EDIT      ${editNames.join(', ')}; may be given several times
`

/** Of user and system, in milliseconds: also what the collector of garbage takes in its own threads. */
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

class Bench {
  readonly #world: BenchWorld
  readonly #merger = new WorldMerger()
  readonly #state = new WorldState()
  readonly #mesh = meshSettings()
  readonly #proxies: readonly BenchProxy[]

  constructor(services: number, proxies: number, spread: number) {
    this.#world = new BenchWorld(services)
    this.#update()
    const [delta] = adsMethods(worldSource(this.#state))
    if (delta?.kind !== 'stream') throw new Error('the first method of ADS is no stream')
    const namespaces = Math.min(spread, Math.max(1, Math.ceil(services / 100)))
    this.#proxies = Array.from({ length: proxies }, (_, i) => new BenchProxy(delta, i, `team-${i % namespaces}`))
  }

  /** Of the control plane alone: what proxies do with their responses is not counted. */
  async settle(): Promise<number> {
    for (let spent = 0; ; ) {
      const start = cpuMs()
      // A round of the event loop: all that streams do without an answer is done then.
      await new Promise((resolve) => setImmediate(resolve))
      spent += cpuMs() - start
      const requests = this.#proxies.map((one) => one.read())
      if (requests.every((list) => list.length === 0)) return spent
      const answering = cpuMs()
      for (const [at, list] of requests.entries()) this.#proxies[at]!.answer(list)
      spent += cpuMs() - answering
    }
  }

  async edit(name: EditName): Promise<number> {
    this.#world.edit(name)
    const start = cpuMs()
    this.#update()
    const updated = cpuMs() - start
    return updated + await this.settle()
  }

  get resources(): number {
    return this.#proxies.reduce((sum, one) => sum + one.resources, 0)
  }

  close(): void {
    for (const one of this.#proxies) one.close()
  }

  #update(): void {
    const { resources, services, workloads, endpoints, issues, held } = this.#merger.merge([this.#world.state], this.#world.ready)
    this.#state.update({ resources, services, workloads, endpoints, mesh: this.#mesh }, issues, held)
  }
}

async function measure({ services, proxies, spread, edits }: Readonly<Record<'services' | 'proxies' | 'spread' | 'edits', number>>, wanted: readonly EditName[]): Promise<string> {
  const bench = new Bench(services, proxies, spread)
  const start = await bench.settle()
  const cells: string[] = []
  for (const name of wanted) {
    const spent: number[] = []
    const before = bench.resources
    for (let i = 0; i < edits + 3; i++) spent.push(await bench.edit(name))
    // The first ones warm the machine up.
    cells.push(`${median(spent.slice(3)).toFixed(1)} (${((bench.resources - before) / (edits + 3)).toFixed(0)})`)
  }
  bench.close()
  return `| ${[services, proxies, start.toFixed(0), ...cells].join(' | ')} |`
}

const numbers = (text: string): readonly number[] => text.split(',').map(Number)

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10,100,1000,5000' }, proxies: { type: 'string', default: '1,8,100' },
    edits: { type: 'string', default: '15' }, namespaces: { type: 'string', default: '4' }, only: { type: 'string', multiple: true }, help: { type: 'boolean' },
  },
})
if (values.help === true) {
  console.log(usage)
} else {
  const wanted = editNames.filter((name) => values.only === undefined || values.only.includes(name))
  console.log('CPU ms of an edit (resources sent), medians; `start` is the first answer to all proxies\n')
  console.log(`| services | proxies | start | ${wanted.join(' | ')} |`)
  console.log(`|${'---:|'.repeat(3 + wanted.length)}`)
  for (const services of numbers(values.services)) {
    for (const proxies of numbers(values.proxies)) {
      console.log(await measure({ services, proxies, spread: Number(values.namespaces), edits: Number(values.edits) }, wanted))
    }
  }
}
