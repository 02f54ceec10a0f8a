// Workloads as `trysail agent run` has them, in the process of the test: the same life, a real proxy with an identity from the
// control plane, and a program that the test provides. So hundreds of them fit on a small machine.
import { ProxyKeeper } from '../../src/agent/life/proxy-keeper.ts'
import type { LifeProxy } from '../../src/agent/life/proxy-keeper.ts'
import { runLife } from '../../src/agent/life/life.ts'
import type { LifeProgram } from '../../src/agent/life/program.ts'
import { Readiness } from '../../src/agent/probe/readiness.ts'
import { placeProxy, placesOf } from '../../src/cli/proxy-places.ts'
import { Leaving } from '../../src/cli/proxy/leaving.ts'
import { createBackoff } from '../../src/lib/backoff.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { parseAddress } from '../../src/model/address.ts'
import { ListenSet } from '../../src/net/listen-set.ts'
import { startProxy } from '../../src/proxy/main.ts'
import type { Proxy } from '../../src/proxy/main.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import type { ProxySettings } from '../../src/proxy/settings.ts'

export interface WorkloadInit {
  /** Its service account too, unless the settings say otherwise. */
  readonly name: string
  readonly settings: Partial<ProxySettings>
  /** PEM of the control plane's. */
  readonly roots: string
  readonly inbound?: readonly string[]
  readonly outbound?: readonly string[]
}

/** The proxy of one workload, from its start to its end. */
function startLifeProxy({ name, settings: over, roots, inbound = [], outbound = [] }: WorkloadInit): LifeProxy {
  const settings = proxySettings({ name, serviceAccount: name, adminPort: 0, ...over })
  const ended = Promise.withResolvers<number>()
  const ports = inbound.map((one) => parseAddress(one.split('=')[1]!)!)
  let proxy: Proxy | undefined
  const readiness = new Readiness({
    clock: systemClock, place: { ip: settings.ip, at: (address) => address, from: () => undefined }, proxy: () => proxy,
    ports: () => ports, probe: undefined, groupMayProbe: false, runsCommands: false, log: () => {},
  })
  const begun = begin(settings, roots, inbound, outbound).then((one) => {
    proxy = one
    readiness.notYet()
    return one
  })
  let leaving: Leaving | undefined
  const leavingOf = (proxy: Proxy): Leaving => (leaving ??= new Leaving(proxy, { ...settings, exitOnZeroActiveConnections: false, minimumDrainDuration: 0 }, systemClock))
  const ready = Promise.withResolvers<void>()
  begun.then((one) => one.whenReady).then(() => {
    readiness.begin()
    ready.resolve()
  }, () => ended.resolve(1))
  return {
    ready: ready.promise,
    ended: ended.promise,
    async leave() {
      await leavingOf(await begun).drainInbound()
    },
    async end() {
      const one = await begun
      const left = leavingOf(one)
      await left.withdraw()
      readiness.close()
      await one.close(left.leftMs)
      ended.resolve(0)
    },
  }
}

async function begin(settings: ProxySettings, roots: string, inbound: readonly string[], outbound: readonly string[]): Promise<Proxy> {
  const mistakes: string[] = []
  const places = placesOf({ capture: 'taps', proxyMark: 0, inbound, outbound, gatewayPort: [] }, settings, mistakes)
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  const sockets = new ListenSet({ sharing: 'alone' })
  const { capture } = await placeProxy(places, settings, { listen: sockets.listen, holds: () => false })
  return await startProxy(settings, { roots, capture, sockets, version: 'test', tellsReadiness: true })
}

export interface RunningWorkload {
  readonly exited: Promise<number>
  /** The program runs. */
  readonly started: Promise<void>
  stop(): void
}

export function runWorkload(init: WorkloadInit, program: () => LifeProgram): RunningWorkload {
  const stop = new AbortController()
  const started = Promise.withResolvers<void>()
  const log = (): void => {}
  const exited = runLife({
    proxy: new ProxyKeeper({ start: () => startLifeProxy(init), backoff: createBackoff({ firstMs: 100, maxMs: 1_000 }), clock: systemClock, log }),
    startProgram() {
      const running = program()
      started.resolve()
      return running
    },
    holds: true, graceMs: 10_000, clock: systemClock, stop: stop.signal, log,
  })
  return { exited, started: started.promise, stop: () => stop.abort('SIGTERM') }
}
