// The services of all chains that ever served, until the last of their connections is gone: those of the plan in force,
// and those that a newer plan has replaced and that may finish what they carry.
import { toBinary } from '@bufbuild/protobuf'
import type { Clock } from '../../lib/clock.ts'
import { FilterChainMatchSchema } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { CompiledChain, CompiledListener } from './compile.ts'
import type { ChainService } from './connection.ts'

type Listeners = ReadonlyMap<string, CompiledListener>

/** How often a drain looks whether everybody has left. */
const lookEveryMs = 50
/** How long the last words of a drain may take to reach their clients. */
const lastWordsMs = 250
/** How long a drain waits for who is in a handshake. Who is silent for longer has nothing that could be lost. */
const unservedMs = 2_000

export class ChainServices {
  readonly #clock: Clock
  /** How long replaced chains may take. */
  readonly #drainMs: number
  /** Of the plan in force, each with where it stands: what takes its place is found by that. */
  #current: ReadonlyMap<ChainService, string> = new Map()
  readonly #retired = new Map<ChainService, Retired>()
  /** Those of inbound listeners, of any age. */
  readonly #inbound = new WeakSet<ChainService>()
  #inboundDrains = false

  constructor(clock: Clock, drainMs: number) {
    this.#clock = clock
    this.#drainMs = drainMs
  }

  /** Connections open in chains of any age. */
  get active(): number {
    let sum = 0
    for (const service of this.#all()) sum += service.active
    return sum
  }

  get retired(): number {
    return this.#retired.size
  }

  /** A new plan: chains that it does not have any more drain, and are cut off when their time is up. */
  replace(listeners: Listeners): void {
    const before = this.#current
    const next = new Map([...listeners.values()].flatMap((listener) => listener.chains.map((chain) => [chain.service, placeOf(listener, chain)] as const)))
    this.#current = next
    for (const { direction, chains } of listeners.values()) if (direction === 'inbound') for (const { service } of chains) this.#inbound.add(service)
    if (this.#inboundDrains) this.#drainInbound()
    for (const [service, place] of before) if (!next.has(service)) this.#retire(service, place)
    this.#recheckRetired()
    for (const service of this.#retired.keys()) if (service.active === 0) this.#forget(service)
  }

  /** What a chain let in and what stands in its place now does not allow ends at once, however old the chain is. */
  #recheckRetired(): void {
    if (this.#retired.size === 0) return
    const byPlace = new Map([...this.#current].map(([service, place]) => [place, service]))
    for (const [service, { place }] of this.#retired) {
      const successor = byPlace.get(place)
      if (successor !== undefined) service.recheck?.(successor)
    }
  }

  /**
   * Everything drains; resolves when all connections are gone or the time is up. Says how many were left. `open` counts those
   * with them that no service has yet, in a handshake or silent so far: for them the time is up earlier.
   */
  async drain(timeoutMs: number, open: () => number = () => this.active): Promise<number> {
    for (const service of this.#all()) service.drain()
    const start = this.#clock.now()
    await this.#wait(timeoutMs, () => (this.#clock.now() - start < unservedMs ? open() : this.active), (last) => {
      for (const service of this.#all()) service.announceEnd?.(last)
    })
    return open()
  }

  /** The same for inbound connections alone; new plans go on to be served, their inbound chains drain as well. What is left ends. */
  async drainInbound(timeoutMs: number, { onHalf, onEnd }: InboundDrain): Promise<number> {
    this.#inboundDrains = true
    this.#drainInbound()
    await this.#wait(timeoutMs, () => this.#inboundActive(), (last) => {
      onHalf()
      for (const service of this.#all()) if (this.#inbound.has(service)) service.announceEnd?.(last)
    })
    onEnd()
    const left = this.#inboundActive()
    for (const service of this.#all()) if (this.#inbound.has(service)) service.close()
    return left
  }

  /** Until nobody is left. Who may stay for ever is told in the second half of the time, and so are all shortly before its end. */
  async #wait(timeoutMs: number, left: () => number, announce: (last: boolean) => void): Promise<void> {
    const end = this.#clock.now() + timeoutMs
    const lastWordsAt = end - Math.min(lastWordsMs, timeoutMs / 4)
    let told = false
    // A process that is busy may find the end of the time behind it: what was said last still needs a moment to leave.
    while (left() > 0 && (this.#clock.now() < end || (!told && timeoutMs > 0))) {
      const now = this.#clock.now()
      told = now >= lastWordsAt
      if (now >= end - timeoutMs / 2) announce(told)
      const next = !told ? lastWordsAt : now < end ? end : now + lookEveryMs
      await new Promise<void>((resolve) => void this.#clock.after(Math.min(lookEveryMs, next - now), resolve))
    }
  }

  #drainInbound(): void {
    for (const service of this.#all()) if (this.#inbound.has(service)) service.drain()
  }

  #inboundActive(): number {
    let sum = 0
    for (const service of this.#all()) if (this.#inbound.has(service)) sum += service.active
    return sum
  }

  /** Cuts off whatever is left. */
  close(): void {
    for (const service of this.#all()) service.close()
    for (const service of this.#retired.keys()) this.#forget(service)
  }

  *#all(): Iterable<ChainService> {
    yield* this.#current.keys()
    yield* this.#retired.keys()
  }

  #retire(service: ChainService, place: string): void {
    service.drain()
    if (service.active === 0) return service.close()
    const cancel = this.#clock.after(this.#drainMs, () => {
      service.close()
      this.#forget(service)
    })
    this.#retired.set(service, { place, cancel })
  }

  #forget(service: ChainService): void {
    this.#retired.get(service)?.cancel()
    this.#retired.delete(service)
  }
}

export interface InboundDrain {
  /** The second half of the time begins; may be called again and again. */
  onHalf(): void
  /** The time is up, or everybody has left. */
  onEnd(): void
}

/** Its connections go on for a while. */
interface Retired {
  readonly place: string
  /** The end of that while. */
  readonly cancel: () => void
}

const places = new WeakMap<CompiledChain, string>()

/** The listener, and which of its connections a chain takes: versions of one chain have that in common. */
function placeOf(listener: CompiledListener, chain: CompiledChain): string {
  const known = places.get(chain)
  if (known !== undefined) return known
  const { filterChainMatch } = chain.decoded.message
  const match = filterChainMatch === undefined ? '' : Buffer.from(toBinary(FilterChainMatchSchema, filterChainMatch)).toString('base64')
  const place = `${listener.name} ${match}`
  places.set(chain, place)
  return place
}
