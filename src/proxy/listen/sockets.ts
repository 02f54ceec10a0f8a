// Keeps the listening sockets equal to what the plan wants. A listener that changes keeps its socket; a bind that fails
// is reported with the resource that asked for it and tried again, and the others go on.
import type { Clock } from '../../lib/clock.ts'
import { describe, hasCode, spawn } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { listen } from '../../net/listen.ts'
import type { Inbound, Listening } from '../../net/listen.ts'
import type { Listen } from '../../net/listen-set.ts'
import { describeProvenance, provenanceOf } from '../xds/provenance.ts'
import type { CompiledListener } from './compile.ts'

export interface SocketParts {
  readonly clock: Clock
  /** Other sockets than ones of its own alone. */
  readonly listen?: Listen | undefined
  /** Undefined: not at all. */
  bindsAt(listener: CompiledListener): Address | undefined
  onConnection(listenerName: string, inbound: Inbound): void
  onProblem(problem: BindProblem): void
}

export interface BindProblem {
  readonly listener: string
  readonly message: string
}

/** One wanted socket: opening, open, or waiting for its next try. */
interface Socket {
  readonly address: Address
  readonly transparent: boolean
  /** The listener that connections go to: the newest one that wants this address. */
  listenerName: string
  wantedBy: string
  listening: Listening | undefined
  problem: string | undefined
  tries: number
  cancelRetry: () => void
  closed: boolean
}

const firstRetryMs = 250
/** People who free a port look at the terminal: they should not have to wait. */
const lastRetryMs = 2000

/** Of many resources that share a port, so many are named. */
const maxNamed = 3

export class Sockets {
  readonly #parts: SocketParts
  readonly #byAddress = new Map<string, Socket>()

  constructor(parts: SocketParts) {
    this.#parts = parts
  }

  /** Listeners that cannot be bound now, and why. */
  get problems(): readonly BindProblem[] {
    return [...this.#byAddress.values()].flatMap(({ listenerName, problem }) => (problem === undefined ? [] : [{ listener: listenerName, message: problem }]))
  }

  /** Every address that it listens on now. */
  get addresses(): readonly Address[] {
    return [...this.#byAddress.values()].flatMap(({ listening }) => listening?.address ?? [])
  }

  /** Where each bound listener really listens: port 0 becomes a number. */
  boundAddress(listenerName: string): Address | undefined {
    return [...this.#byAddress.values()].find((socket) => socket.listenerName === listenerName)?.listening?.address
  }

  /** Opens what is missing and closes what nobody wants. Resolves when every bind has succeeded or failed once. */
  async reconcile(listeners: ReadonlyMap<string, CompiledListener>): Promise<void> {
    const wanted = this.#wanted(listeners)
    for (const [key, socket] of this.#byAddress) if (!wanted.has(key)) this.#close(key, socket)
    const opening: Promise<void>[] = []
    for (const [key, { listener, address }] of wanted) {
      const wantedBy = wantedByOf(listener)
      const known = this.#byAddress.get(key)
      if (known !== undefined) Object.assign(known, { listenerName: listener.name, wantedBy })
      else opening.push(this.#add(key, address, listener, wantedBy))
    }
    await Promise.all(opening)
  }

  #wanted(listeners: ReadonlyMap<string, CompiledListener>): ReadonlyMap<string, { readonly listener: CompiledListener; readonly address: Address }> {
    return new Map([...listeners.values()].flatMap((listener) => {
      const address = listener.binds ? this.#parts.bindsAt(listener) : undefined
      return address === undefined ? [] : [[keyOf(listener, address), { listener, address }]]
    }))
  }

  /** Stops accepting. Open connections go on. */
  close(): void {
    for (const [key, socket] of this.#byAddress) this.#close(key, socket)
  }

  #add(key: string, address: Address, { name: listenerName, transparent }: CompiledListener, wantedBy: string): Promise<void> {
    const socket: Socket = {
      address, transparent, listenerName, wantedBy, listening: undefined, problem: undefined, tries: 0, cancelRetry: () => {}, closed: false,
    }
    this.#byAddress.set(key, socket)
    return this.#open(socket)
  }

  async #open(socket: Socket): Promise<void> {
    try {
      const listening = await (this.#parts.listen ?? listen)({ address: socket.address, transparent: socket.transparent, onConnection: (inbound) => this.#parts.onConnection(socket.listenerName, inbound) })
      if (socket.closed) return await listening.close()
      socket.listening = listening
      if (socket.problem !== undefined) this.#parts.onProblem({ listener: socket.listenerName, message: `listening after all on ${formatAddress(listening.address)}, wanted by ${socket.wantedBy}` })
      socket.problem = undefined
    } catch (error) {
      this.#failed(socket, error)
    }
  }

  #failed(socket: Socket, error: unknown): void {
    if (socket.closed) return
    const message = bindMessage(socket, error)
    if (message !== socket.problem) this.#parts.onProblem({ listener: socket.listenerName, message })
    socket.problem = message
    const delay = Math.min(lastRetryMs, firstRetryMs * 2 ** socket.tries++)
    socket.cancelRetry = this.#parts.clock.after(delay, () => spawn('binding a listener', this.#open(socket)))
  }

  #close(key: string, socket: Socket): void {
    socket.closed = true
    socket.cancelRetry()
    this.#byAddress.delete(key)
    if (socket.listening !== undefined) spawn('closing a listener', socket.listening.close())
  }
}

/** Of listeners on one address the newest takes over its socket; port 0 is any free one, for each its own. */
const keyOf = ({ name }: CompiledListener, address: Address): string => (address.port === 0 ? `${formatAddress(address)} ${name}` : formatAddress(address))

function wantedByOf({ name, message }: CompiledListener): string {
  const sources = [message.metadata, ...message.filterChains.map((chain) => chain.metadata)].map((metadata) => describeProvenance(provenanceOf(metadata)))
  return [...new Set(sources.filter((one) => one !== ''))].slice(0, maxNamed).join(', ') || `listener ${name}`
}

function bindMessage({ address, wantedBy }: Socket, error: unknown): string {
  const at = formatAddress(address)
  if (hasCode(error, 'net/in-use')) return `port already taken: ${at} wanted by ${wantedBy}`
  return `cannot listen on ${at}, wanted by ${wantedBy}: ${describe(error)}`
}
