import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayPorts } from '../../agent/gateway-ports.ts'
import type { Proxy } from '../../proxy/main.ts'
import { GatewayUnit } from './gateway-unit.ts'
import type { Places } from './gateway-places.ts'
import type { WantedProcess } from './wanted-process.ts'

const wantedNamed = (name: string): WantedProcess => ({
  key: `istio-system/${name}`, name, namespace: 'istio-system', labels: {}, annotations: {}, serviceAccount: name, proxyType: 'router', command: [], workingDirectory: '.',
  env: {}, address: '127.0.0.1', ports: [], probe: undefined, graceMs: 0, origin: { file: 'g.yaml', line: 1, column: 1 },
})

function setUp() {
  const places: Places = new Map()
  const said: string[] = []
  const log = { output() {}, say: (name: string, line: string) => void said.push(`${name}: ${line}`), warn() {} }
  const ready: string[] = []
  /** A gateway that runs, and where its listeners for these ports stand. */
  const start = async (name: string, ...listeners: readonly number[]) => {
    const unit = new GatewayUnit(wantedNamed(name), '127.1.0.9', {
      placement: { host: '127.0.0.1', ports: new Map(), privileged: false }, places, log, onReadiness: (key, is) => void ready.push(`${key} ${is}`),
    }, new Map(), new Map([[80, 'HTTP']]))
    const at = new Map<string, { host: string; port: number }>()
    await unit.start((_wanted: WantedProcess, capture: GatewayPorts) => {
      for (const port of listeners) at.set(`0.0.0.0_${port}`, capture.bindsAt({ name: `0.0.0.0_${port}`, address: { host: '0.0.0.0', port } } as Parameters<GatewayPorts['bindsAt']>[0]))
      const proxy: Pick<Proxy, 'whenReady' | 'boundAddress' | 'close'> = { whenReady: Promise.resolve(), boundAddress: (listener) => at.get(listener), close: () => Promise.resolve() }
      return Promise.resolve(proxy as Proxy)
    })
    return { unit, at: [...at.values()].map(({ port }) => port) }
  }
  return { start, said, ready }
}

test('of two gateways that want one port of this machine the first has it, and the other any free one', async () => {
  const { start, said } = setUp()
  const first = await start('istio-ingressgateway', 80)
  const second = await start('istio-egressgateway', 80, 15_443)
  assert.deepEqual([first.at, second.at], [[8080], [0, 15_443]])
  assert.equal(said.filter((line) => line.includes('needs root')).length, 1)
  await first.unit.stop()
  assert.deepEqual((await start('another', 80)).at, [8080])
})

test('peers may send to a gateway once it serves, and find the listener of a port of it', async () => {
  const { start, ready } = setUp()
  const { unit } = await start('istio-ingressgateway', 80, 9443)
  assert.deepEqual(ready, ['istio-system/istio-ingressgateway true'])
  assert.deepEqual([unit.doorAt(80)?.port, unit.doorAt(9443)?.port, unit.doorAt(81)], [8080, 9443, undefined])
})
