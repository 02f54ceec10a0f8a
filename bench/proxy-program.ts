// One proxy of ours, told by a ProxyTask; proxy-process.ts loads it. Says `{}` once it serves.
import { EnvCapture } from '../src/agent/env-capture.ts'
import type { Tap } from '../src/agent/env-capture.ts'
import { GatewayPorts } from '../src/agent/gateway-ports.ts'
import { giveBackLoaded, letCodeBeOptimised, letYoungHeapGrow } from '../src/cli/heap.ts'
import type { Address } from '../src/model/address.ts'
import { ListenSet } from '../src/net/listen-set.ts'
import { startProxy } from '../src/proxy/main.ts'
import type { Capture } from '../src/proxy/main.ts'
import { proxySettings } from '../src/proxy/settings.ts'
import type { ProxySettings } from '../src/proxy/settings.ts'
import { answerHeldMemory } from './held-memory.ts'

export interface ProxyTask {
  readonly settings: Partial<ProxySettings>
  readonly roots: string
  /** Where a gateway listens. */
  readonly gatewayPort?: number
  /** What a sidecar takes. */
  readonly taps?: readonly Tap[]
  readonly dialMap: readonly (readonly [string, Address])[]
}

const task = JSON.parse(process.argv[2]!) as ProxyTask

function captureOf({ gatewayPort, taps = [], dialMap }: ProxyTask): Capture {
  const map = new Map(dialMap)
  return gatewayPort === undefined ? new EnvCapture(taps, map) : new GatewayPorts(() => ({ host: '127.0.0.1', port: gatewayPort }), map)
}

letCodeBeOptimised()
const proxy = await startProxy(proxySettings({ adminPort: 0, ...task.settings }), {
  capture: captureOf(task),
  sockets: new ListenSet({ sharing: 'alone' }),
  roots: task.roots,
  log: (line) => console.error(line),
})
giveBackLoaded()
await proxy.whenReady
letYoungHeapGrow()
answerHeldMemory()
process.once('SIGTERM', () => void proxy.close().then(() => process.exit(0)))
console.log('{}')
