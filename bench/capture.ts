// What it costs that the kernel brings a workload's connections to its sidecar: `npm run bench:capture`. The same sidecar and
// application three times, each in a network of its own: reached by a tap, by REDIRECT and by TPROXY; a connection for each
// request, plain in and plain out. As root, with nftables; nothing of the machine's own network is touched.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { OriginalDestinations } from '../src/net/original-destination.ts'
import { descriptorOf, socketOptions } from '../src/net/socket-options.ts'
import type { CaptureSettings } from '../src/agent/capture/capture-settings.ts'
import { CapturedMesh } from '../test/support/captured-mesh.ts'
import { netnsSkip, places } from '../test/support/capture-world.ts'
import { TrysailProcess } from '../test/support/trysail-process.ts'
import { Children } from './children.ts'
import { openGenerator } from './load/load.ts'
import { measure } from './measure.ts'
import type { Contender } from './scenarios.ts'
import { markdownTable, summarize } from './table.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '6' }, secs: { type: 'string', default: '2' }, conns: { type: 'string', default: '16' } } })

interface Variant {
  readonly name: string
  readonly capture: Partial<CaptureSettings>
  readonly flags: readonly string[]
  /** Of the application. */
  readonly ports: readonly number[]
}

const { workload } = places.IPv4
const variants: readonly Variant[] = [
  { name: 'tap', capture: { mode: 'NONE' }, flags: ['--inbound', `${workload}:8080=127.0.0.1:9090`], ports: [9090] },
  { name: 'REDIRECT', capture: {}, flags: ['--capture', 'netfilter'], ports: [8080] },
  { name: 'TPROXY', capture: { mode: 'TPROXY' }, flags: ['--capture', 'netfilter', '--interception-mode', 'TPROXY'], ports: [8080] },
]

async function start(mesh: CapturedMesh, { name, flags }: Variant, children: Children): Promise<Contender> {
  const as = [...mesh.asProxy.as, ...children.prefix('measured')]
  const proxy = mesh.use(new TrysailProcess([...await mesh.proxyFlags(), ...flags], { ...mesh.asProxy, as }))
  await proxy.saying(/info +serves/)
  return { name, port: 8080, pids: [proxy.pid], place: { address: workload, under: [...mesh.world.enter(), ...children.prefix('load')] } }
}

/** Of the question alone, on a connection that was not redirected: the kernel looks it up all the same. */
async function askingMicros(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const destinations = new OriginalDestinations(socketOptions().options!)
  const fd = descriptorOf(server)!
  const times = 100_000
  for (let i = 0; i < times; i++) destinations.of(fd, false)
  const began = process.hrtime.bigint()
  for (let i = 0; i < times; i++) destinations.of(fd, false)
  server.close()
  return Number(process.hrtime.bigint() - began) / times / 1000
}

if (netnsSkip !== false) throw new Error(netnsSkip)
const folder = mkdtempSync(join(tmpdir(), 'trysail-bench-'))
try {
  await using children = new Children()
  await using meshes = new AsyncDisposableStack()
  const contenders: Contender[] = []
  for (const variant of variants) contenders.push(await start(meshes.use(await CapturedMesh.open(variant.capture, undefined, variant.ports)), variant, children))
  const measured = await measure(contenders, {
    generator: openGenerator(folder), folder, rounds: Number(values.rounds), warmupSeconds: 2,
    load: { connections: Number(values.conns), seconds: Number(values.secs), fresh: true, path: '/', headers: ['Host: echo'] },
  })
  console.log(markdownTable('A connection for each request, plain in, plain out', summarize(measured)))
  console.log(`SO_ORIGINAL_DST, the call alone: ${(await askingMicros()).toFixed(1)} us`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
