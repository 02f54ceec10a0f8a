// The other threads of a proxy, as worker threads of this process: how many, what each is given, and the sockets of a process
// before that each goes on with. What they do is in thread.ts.
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { formatAddress } from '../../model/address.ts'
import type { BoundSocket } from '../../net/listen-set.ts'
import type { FromThread, ThreadHandle } from '../../proxy/main.ts'
import type { ProxySettings } from '../../proxy/settings.ts'
import type { Places } from '../proxy-places.ts'

/** What a thread is made with. */
export interface ThreadData {
  /** From 1: the first thread is 0. */
  readonly number: number
  readonly settings: ProxySettings
  readonly places: Places
  readonly inherited: readonly BoundSocket[]
}

/** As many as there are cores for this process, by affinity and cgroup, where none is named. */
const threadCount = ({ concurrency }: ProxySettings): number => (concurrency === 0 ? availableParallelism() : concurrency)

/** The limit of connections is the proxy's: each thread keeps its share of it. */
export function threadSettings(settings: ProxySettings): ProxySettings {
  const concurrency = threadCount(settings)
  return { ...settings, concurrency, maxConnections: Math.ceil(settings.maxConnections / concurrency), maxHandshakes: Math.ceil(settings.maxHandshakes / concurrency) }
}

/** Sockets of the process before, for each thread: those of one address are dealt out in turn. */
export function dealtOut(sockets: readonly BoundSocket[], threads: number): BoundSocket[][] {
  const turns = new Map<string, number>()
  const dealt: BoundSocket[][] = Array.from({ length: threads }, () => [])
  for (const socket of sockets) {
    const key = formatAddress(socket.address)
    const turn = turns.get(key) ?? 0
    turns.set(key, turn + 1)
    dealt[turn % threads]!.push(socket)
  }
  return dealt
}

/** What a thread still inherits: a socket that nobody accepts from would leave its share of the clients waiting for ever. */
export function left(inherited: readonly BoundSocket[], gone: readonly BoundSocket[] | 'all'): readonly BoundSocket[] {
  if (gone === 'all') return []
  const taken = new Set(gone.map(({ on }) => ('fd' in on ? on.fd : -1)))
  return inherited.filter(({ on }) => !('fd' in on) || !taken.has(on.fd))
}

export function spawnThread(data: ThreadData): ThreadHandle {
  const worker = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), { workerData: data, name: 'proxy' })
  const handle: ThreadHandle = { send: (message) => worker.postMessage(message), onMessage() {}, onExit() {}, end: () => void worker.terminate() }
  let reason = ''
  worker.on('message', (message: FromThread) => handle.onMessage(message))
  worker.on('error', (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)))
  worker.on('exit', (code) => handle.onExit(reason === '' ? `exit code ${code}` : reason))
  return handle
}
