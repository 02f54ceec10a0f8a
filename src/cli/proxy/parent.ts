// A proxy's end of the channel to the `trysail run` that started it in a network of its own: what shows who it is comes from
// there, and never touches a disk; so do sockets that stand in the network of this machine. When the parent is gone, it ends.
import type { ProbePlace } from '../../agent/probe/probe.ts'
import { ask } from '../../agent/probe/ask.ts'
import { MeshError, spawn } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import { netError } from '../../net/errors.ts'
import type { SocketPlace } from '../../net/socket-passing.ts'
import type { Proxy } from '../../proxy/main.ts'
import type { AuditEvent, WriteAudit } from '../../telemetry/audit/events.ts'
import type { Credentials } from './credentials.ts'
import type { FromProxy, ToProxy } from './parent-messages.ts'
import { UsageError } from '../usage-error.ts'

export interface ProxyParent {
  readonly credentials: Credentials
  readonly audit: WriteAudit
  /** Of the admin server: in the parent's network, where people's tools are. */
  readonly adminHandle: object | undefined
  /** Further sockets for an address that the proxy listens on. Rejects with `net/in-use` where somebody else has it. */
  furtherSockets(address: Address): Promise<readonly SocketPlace[]>
  /** From now on it is asked about the proxy. */
  answersFor(proxy: Proxy, place: ProbePlace): void
}

/** Each is some hundred bytes; a parent takes thousands a second. */
const maxAuditWaiting = 1000
/** The parent speaks first, as soon as it has started us. */
const beginMs = 30_000

/** Rejects with `UsageError` where nobody has started us so. `onGone`: the parent has ended. */
export async function joinParent(onGone: () => void): Promise<ProxyParent> {
  if (process.send === undefined) throw new UsageError(["--supervised is for proxies that 'trysail run' starts: there is no channel to it"])
  const channel = new Channel()
  process.once('disconnect', onGone)
  await channel.begun(beginMs)
  process.channel?.unref() // it is nothing to stay for
  return channel
}

interface Waiting {
  resolve(sockets: readonly SocketPlace[]): void
  reject(error: Error): void
}

class Channel implements ProxyParent {
  adminHandle: object | undefined
  readonly #begun = Promise.withResolvers<void>()
  readonly #asked = new Map<number, Waiting>()
  #next = 1
  #auditWaiting = 0
  #auditLost = 0
  #token = ''
  #roots = ''
  #proxy: { readonly proxy: Proxy; readonly place: ProbePlace } | undefined

  constructor() {
    process.on('message', (message, socket: unknown) => this.#take(message as ToProxy, typeof socket === 'object' && socket !== null ? socket : undefined))
  }

  async begun(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#begun.reject(new MeshError('cli/no-parent', `the process that started this proxy says nothing within ${timeoutMs / 1000} s`)), timeoutMs)
    await this.#begun.promise.finally(() => clearTimeout(timer))
  }

  get credentials(): Credentials {
    return { roots: this.#roots, bearer: () => this.#token }
  }

  /** Never waits: of what the channel has not taken, only so much is kept; what is lost is written down as that. */
  readonly audit: WriteAudit = (event) => {
    if (this.#auditWaiting >= maxAuditWaiting) return void this.#auditLost++
    const lost = this.#auditLost
    this.#auditLost = 0
    if (lost > 0) this.#sayAudit({ event: 'events-lost', count: lost })
    this.#sayAudit(event)
  }

  #sayAudit(event: AuditEvent): void {
    this.#auditWaiting++
    say({ kind: 'audit', event }, () => this.#auditWaiting--)
  }

  furtherSockets(address: Address): Promise<readonly SocketPlace[]> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
      say({ kind: 'listen', id, address })
    })
  }

  answersFor(proxy: Proxy, place: ProbePlace): void {
    this.#proxy = { proxy, place }
    spawn('saying that it serves', proxy.whenReady.then(() => say({ kind: 'ready' }), () => {}))
  }

  #take(message: ToProxy, socket: object | undefined): void {
    if (message.kind === 'begin') {
      this.#token = message.token
      this.#roots = message.roots
      this.adminHandle = socket
      this.#begun.resolve()
    } else if (message.kind === 'token') {
      this.#token = message.token
    } else if (message.kind === 'socket') {
      this.#answered(message.id, socket, message.problem)
    } else if (message.kind === 'probe') {
      const { id, probe, timeoutMs } = message
      if (this.#proxy === undefined) return say({ kind: 'probed', id, problem: 'its proxy is not there yet' })
      const { place } = this.#proxy
      spawn('a readiness probe', ask(probe, { place, timeoutMs }).then((problem) => say({ kind: 'probed', id, ...(problem === undefined ? {} : { problem }) })))
    } else {
      const { id, timeoutMs } = message
      spawn('draining', (this.#proxy?.proxy.drainInbound(timeoutMs) ?? Promise.resolve(0)).then((left) => say({ kind: 'drained', id, left })))
    }
  }

  #answered(id: number, socket: object | undefined, problem: string | undefined): void {
    const waiting = this.#asked.get(id)
    this.#asked.delete(id)
    if (problem !== undefined) waiting?.reject(netError('net/in-use', problem))
    else waiting?.resolve(socket === undefined ? [] : [{ handle: socket }])
  }
}

/** A parent that is gone is told about by `disconnect`. */
function say(message: FromProxy, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, {}, () => sent())
}
