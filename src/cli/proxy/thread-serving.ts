// One of a proxy's other threads: makes a proxy out of what it is given and what the first thread says.
import { parentPort, workerData } from 'node:worker_threads'
import { ListenSet } from '../../net/listen-set.ts'
import { chooseTransports } from '../../net/transports.ts'
import { startThread } from '../../proxy/main.ts'
import type { FromThread, Link, ToThread } from '../../proxy/main.ts'
import { placeProxy } from '../proxy-places.ts'
import type { ThreadData } from './threads.ts'
import { packageVersion } from '../version.ts'

export async function serve(): Promise<void> {
  const { number, settings, places, inherited } = workerData as ThreadData
  const port = parentPort!
  const early: ToThread[] = []
  const link: Link<FromThread, ToThread> = { send: (message) => port.postMessage(message), onMessage: (message) => void early.push(message) }
  port.on('message', (message: ToThread) => link.onMessage(message))

  await chooseTransports(settings)
  const sockets = new ListenSet({ sharing: 'joins', inherited, onProblem: (line) => link.send({ kind: 'log', line }) })
  const { capture } = await placeProxy(places, settings, { listen: sockets.listen, holds: () => true })
  const proxy = await startThread(settings, { capture, sockets, threadNumber: number, version: packageVersion() }, link)
  for (const message of early) link.onMessage(message)
  await proxy.whenReady
  sockets.closeUnused()
}
