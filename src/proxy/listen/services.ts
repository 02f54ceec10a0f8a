// The services of all chains that ever served, until the last of their connections is gone: those of the plan in force,
// and those that a newer plan has replaced and that may finish what they carry.
import type { Clock } from '../../lib/clock.ts'
import type { CompiledListener } from './compile.ts'
import type { ChainService } from './connection.ts'

type Listeners = ReadonlyMap<string, CompiledListener>

/** How often a drain looks whether everybody has left. */
const lookEveryMs = 50

export class ChainServices {
  readonly #clock: Clock
  /** How long replaced chains may take. */
  readonly #drainMs: number
  #current: ReadonlySet<ChainService> = new Set()
  readonly #retired = new Map<ChainService, () => void>()

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
    const next = new Set([...listeners.values()].flatMap(({ chains }) => chains.map(({ service }) => service)))
    this.#current = next
    for (const service of before) if (!next.has(service)) this.#retire(service)
    for (const service of this.#retired.keys()) if (service.active === 0) this.#forget(service)
  }

  /** Everything drains; resolves when all connections are gone or the time is up. Says how many were left. */
  async drain(timeoutMs: number): Promise<number> {
    for (const service of this.#all()) service.drain()
    const end = this.#clock.now() + timeoutMs
    while (this.active > 0 && this.#clock.now() < end) {
      await new Promise<void>((resolve) => this.#clock.after(Math.min(lookEveryMs, end - this.#clock.now()), resolve))
    }
    return this.active
  }

  /** Cuts off whatever is left. */
  close(): void {
    for (const service of this.#all()) service.close()
    for (const service of this.#retired.keys()) this.#forget(service)
  }

  *#all(): Iterable<ChainService> {
    yield* this.#current
    yield* this.#retired.keys()
  }

  #retire(service: ChainService): void {
    service.drain()
    if (service.active === 0) return service.close()
    const cancel = this.#clock.after(this.#drainMs, () => {
      service.close()
      this.#forget(service)
    })
    this.#retired.set(service, cancel)
  }

  #forget(service: ChainService): void {
    this.#retired.get(service)?.()
    this.#retired.delete(service)
  }
}
