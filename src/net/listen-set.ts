// How the threads of one proxy listen on the same addresses, and how a proxy goes on with the sockets of the one before it.
// Each thread has sockets of its own for every address (SO_REUSEPORT), so that the kernel spreads connections and no thread
// waits for another. Which sockets are open is known here, for whoever takes them over next.
import { describe, spawn } from '../lib/errors.ts'
import type { Address } from '../model/address.ts'
import { formatAddress } from '../model/address.ts'
import { listen } from './listen.ts'
import type { Listening, ListenOptions } from './listen.ts'
import { closeSocket, descriptorAt } from './socket-passing.ts'
import type { SocketPlace } from './socket-passing.ts'

/**
 * Sockets of each thread for one address. libuv accepts one connection of a socket in a turn of its loop: from several, those that
 * come at once are accepted, and answered, together. Elsewhere the kernel gives all connections to one of them.
 */
const socketsOfEach = process.platform === 'linux' ? 4 : 1

export type Listen = (options: ListenOptions) => Promise<Listening>

/**
 * `alone`: there is one thread. `first`: nobody else may listen there yet, the other threads will join; `joins`: the first
 * listens there already.
 */
export type Sharing = 'alone' | 'first' | 'joins'

/** A socket that listens, of another thread or process. */
export interface BoundSocket {
  readonly address: Address
  readonly on: SocketPlace
}

export interface ListenSetParts {
  readonly sharing: Sharing
  /** For the addresses that they were asked for under. */
  readonly inherited?: readonly BoundSocket[]
  /** `joins`: an address that the first thread has cannot be shared. One line for people. */
  onProblem?(message: string): void
  /** `alone`: sockets of elsewhere that lead to the same, such as those of another network. Rejects as listening does. */
  further?(address: Address): Promise<readonly SocketPlace[]>
}

export class ListenSet {
  /** The open sockets have changed. */
  onChange: () => void = () => {}
  readonly #sharing: Sharing
  readonly #onProblem: (message: string) => void
  readonly #further: ((address: Address) => Promise<readonly SocketPlace[]>) | undefined
  /** `joins`: addresses of the first thread, and who waits for one. */
  #allowed: ReadonlySet<string> = new Set()
  readonly #waiting = new Set<JoinedLater>()
  readonly #inherited = new Map<string, BoundSocket[]>()
  readonly #open = new Set<{ readonly wanted: Address; readonly listening: Listening }>()

  constructor({ sharing, inherited = [], onProblem = () => {}, further }: ListenSetParts) {
    this.#sharing = sharing
    this.#further = further
    this.#onProblem = onProblem
    for (const socket of inherited) {
      const key = formatAddress(socket.address)
      this.#inherited.set(key, [...(this.#inherited.get(key) ?? []), socket])
    }
  }

  /** Under the addresses that were asked for. */
  get sockets(): readonly BoundSocket[] {
    return [...this.#open].flatMap(({ wanted, listening: { address, handle } }) =>
      (handle === undefined ? [] : [{ address: wanted.port === 0 && !isPath(wanted) ? address : wanted, on: { handle } }]))
  }

  readonly listen: Listen = async (options) => {
    if (!('address' in options)) return await this.#keep(options, { host: '', port: 0 })
    const { address, ...others } = options
    const inherited = this.#take(address)
    if (inherited.length > 0) return joined(await Promise.all(inherited.map(({ on }) => this.#keep({ ...others, ...on }, address))))
    const shared = !isPath(address) && address.port !== 0
    if (this.#sharing === 'alone' && this.#further !== undefined) return await this.#withFurther(options, await this.#further(address))
    if ((this.#sharing === 'alone' && socketsOfEach === 1) || (this.#sharing !== 'joins' && !shared)) return await this.#keep(options, address)
    // Any free port and paths cannot be shared: those are the first thread's.
    if (!shared) return nowhere(address)
    if (this.#sharing === 'joins') return this.#joinLater(options, address)
    await checkUnused(options)
    return await this.#keepShared(options, address)
  }

  /** All or none. */
  async #keepShared(options: ListenOptions & { readonly address: Address }, address: Address): Promise<Listening> {
    const all: Listening[] = []
    try {
      for (let i = 0; i < socketsOfEach; i++) all.push(await this.#keep({ ...options, reusePort: true }, address))
      return joined(all)
    } catch (error) {
      await Promise.all(all.map((one) => one.close()))
      throw error
    }
  }

  async #withFurther(options: ListenOptions & { readonly address: Address }, further: readonly SocketPlace[]): Promise<Listening> {
    const { address, ...others } = options
    const own = await this.#keep(options, address)
    return joined([own, ...(await Promise.all(further.map((on) => this.#keep({ ...others, ...on }, address))))])
  }

  /** `joins`: where the first thread listens now. It has to be the first: it finds out whether somebody else is there. */
  allow(addresses: readonly string[]): void {
    this.#allowed = new Set(addresses)
    for (const later of this.#waiting) this.#joinIfAllowed(later)
  }

  #joinLater(options: ListenOptions, address: Address): Listening {
    const later = new JoinedLater(address, () => this.#keepShared({ ...options, address }, address), () => this.#waiting.delete(later))
    this.#waiting.add(later)
    this.#joinIfAllowed(later)
    return later
  }

  #joinIfAllowed(later: JoinedLater): void {
    if (!this.#allowed.has(formatAddress(later.address))) return
    this.#waiting.delete(later)
    spawn('sharing an address', later.open().catch((error: unknown) => this.#onProblem(`${formatAddress(later.address)} is served by fewer threads: ${describe(error)}`)))
  }

  /** Inherited sockets that nobody has asked for so far are let go: what comes to them would wait in vain. */
  closeUnused(): void {
    const unused = [...this.#inherited.values()].flat()
    this.#inherited.clear()
    for (const { on } of unused) closeSocket(on)
  }

  #take(address: Address): readonly BoundSocket[] {
    const key = formatAddress(address)
    const found = this.#inherited.get(key) ?? []
    this.#inherited.delete(key)
    return found
  }

  async #keep(options: ListenOptions, wanted: Address): Promise<Listening> {
    const listening = await listen(options)
    const open = { wanted, listening }
    this.#open.add(open)
    this.onChange()
    return {
      get address() { return listening.address },
      get handle() { return listening.handle },
      get connections() { return listening.connections },
      destroyConnections: () => listening.destroyConnections(),
      close: () => {
        this.#open.delete(open)
        this.onChange()
        return listening.close()
      },
    }
  }
}

const isPath = ({ host }: Address): boolean => host.startsWith('unix://')

/** With SO_REUSEPORT two proxies on one port would share it and nobody would know. Rejects with `net/in-use`. */
async function checkUnused(options: ListenOptions): Promise<void> {
  await (await listen({ ...options, onConnection: (inbound) => inbound.destroy() })).close()
}

/** Opens once it may. */
class JoinedLater implements Listening {
  readonly address: Address
  readonly #open: () => Promise<Listening>
  readonly #forget: () => void
  #listening: Listening | undefined
  #closed = false

  constructor(address: Address, open: () => Promise<Listening>, forget: () => void) {
    this.address = address
    this.#open = open
    this.#forget = forget
  }

  get handle(): object | undefined {
    return this.#listening?.handle
  }

  get connections(): number {
    return this.#listening?.connections ?? 0
  }

  async open(): Promise<void> {
    this.#listening = await this.#open()
    if (this.#closed) await this.#listening.close()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#forget()
    await this.#listening?.close()
  }

  destroyConnections(): void {
    this.#listening?.destroyConnections()
  }
}

/** Several sockets of one address as one. */
function joined(all: readonly Listening[]): Listening {
  const [first] = all
  if (all.length === 1) return first!
  return {
    get address() { return first!.address },
    get handle() { return first!.handle },
    get connections() { return all.reduce((sum, { connections }) => sum + connections, 0) },
    destroyConnections: () => all.forEach((one) => one.destroyConnections()),
    close: async () => void (await Promise.all(all.map((one) => one.close()))),
  }
}

function nowhere(address: Address): Listening {
  return { address, handle: undefined, connections: 0, close: () => Promise.resolve(), destroyConnections() {} }
}

/** Handles belong to the thread that made them; another one goes on with their descriptor. */
export function forOtherThread(sockets: readonly BoundSocket[]): BoundSocket[] {
  return sockets.flatMap(({ address, on }) => {
    const fd = descriptorAt(on)
    return fd === undefined ? [] : [{ address, on: { fd } }]
  })
}
