// Starts the proxy of `trysail proxy` with all that the process around it decides: threads, sockets of its own or of the process
// before, and when the admin server is its own.
import { formatAddress } from '../../model/address.ts'
import { forOtherThread, ListenSet } from '../../net/listen-set.ts'
import type { OfferedSocket, TakenOver } from '../../net/take-over.ts'
import { startProxy } from '../../proxy/main.ts'
import type { Proxy, ProxyOptions } from '../../proxy/main.ts'
import type { ProxySettings } from '../../proxy/settings.ts'
import type { ProxyParent } from './parent.ts'
import { placeProxy, withPorts } from '../proxy-places.ts'
import type { Places } from '../proxy-places.ts'
import { takeOverFrom } from './take-over.ts'
import { dealtOut, left, spawnThread, threadSettings } from './threads.ts'
import type { ServiceLog } from '../service-log.ts'

export interface BegunProxy {
  readonly proxy: Proxy
  /** One for each way in. */
  readonly sentences: readonly string[]
  /** All sockets that listen, for the next process. */
  sockets(): readonly OfferedSocket[]
  /** Once the proxy is ready: from now on it serves alone. */
  serveAlone(): Promise<void>
}

export interface Beginning {
  readonly settings: ProxySettings & { readonly takeover: boolean }
  readonly places: Places
  readonly options: ProxyOptions
  readonly log: ServiceLog
  /** The `run` that has started this process. */
  readonly parent?: ProxyParent | undefined
}

export async function beginProxy(beginning: Beginning): Promise<BegunProxy> {
  const { options, log, parent } = beginning
  const settings = threadSettings(beginning.settings)
  const { concurrency } = settings
  const before = beginning.settings.takeover ? await takeOverFrom(settings) : undefined
  if (beginning.settings.takeover) log('info', before === undefined ? 'no such proxy runs: there is nothing to take over' : `takes ${before.listeners.length} sockets over`)
  const [own = [], ...others] = dealtOut(before?.listeners ?? [], concurrency)
  const places = concurrency === 1 ? beginning.places : await withPorts(beginning.places)
  const sockets = new ListenSet({ sharing: concurrency === 1 ? 'alone' : 'first', inherited: own, ...(parent === undefined || settings.type !== 'router' ? {} : { further: (address) => parent.furtherSockets(address) }) })
  const held = new Set(before?.listeners.map(({ address }) => formatAddress(address)))
  const { capture, sentences } = await placeProxy(places, settings, { listen: sockets.listen, holds: (address) => held.has(formatAddress(address)) })
  const proxy = await startProxy(settings, {
    ...options, capture, sockets, withoutAdmin: before !== undefined || parent !== undefined,
    ...(concurrency === 1 ? {} : {
      threadNumber: 0,
      threads: {
        count: concurrency - 1,
        spawn: (number, gone) => spawnThread({ number, settings, places, inherited: left(forOtherThread(others[number - 1] ?? []), gone) }),
      },
    }),
  })
  if (parent?.adminHandle !== undefined) await proxy.startAdmin({ handle: parent.adminHandle })
  return {
    proxy, sentences,
    sockets: () => socketsOf(proxy, sockets),
    async serveAlone() {
      sockets.closeUnused()
      if (before !== undefined) await takeItsPlace(proxy, before, log)
    },
  }
}

function socketsOf(proxy: Proxy, own: ListenSet): readonly OfferedSocket[] {
  const admin: OfferedSocket[] = proxy.adminHandle === undefined ? [] : [{ role: 'admin', address: { host: '127.0.0.1', port: proxy.adminPort }, on: { handle: proxy.adminHandle } }]
  return [...admin, ...[...own.sockets, ...proxy.threadSockets].map((socket): OfferedSocket => ({ role: 'listener', ...socket }))]
}

/** One that is gone by now has left its place too. */
async function takeItsPlace(proxy: Proxy, { admin, confirm }: TakenOver, log: ServiceLog): Promise<void> {
  await confirm().catch((error: unknown) => log('warning', `the proxy before did not say goodbye: ${String(error)}`))
  await proxy.startAdmin(admin === undefined ? undefined : { handle: admin })
}
