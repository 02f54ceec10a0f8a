// How a proxy that is told to end leaves the mesh: its endpoint is withdrawn, peers hear of it, what came is served to the
// end; all of it under one deadline, which begins with the first word of it.
import type { Clock } from '../../lib/clock.ts'
import { duration, onOff } from '../../lib/settings.ts'
import type { SettingsOf } from '../../lib/settings.ts'
import type { Proxy } from '../../proxy/main.ts'
import type { ProxySettings } from '../../proxy/settings.ts'

export const leavingTable = {
  exitOnZeroActiveConnections: onOff(false, 'Told to end, it waits until nobody is connected any more instead of terminationDrainDuration, an hour at most (EXIT_ON_ZERO_ACTIVE_CONNECTIONS).'),
  minimumDrainDuration: duration('5s', 'With that, how long it stays at least: who has not heard of its end yet still comes (MINIMUM_DRAIN_DURATION).'),
}

/** Peers that do not hear of it in time are served all the same. */
const withdrawMs = 2_000
/** Nobody waits for ever for a client that stays. */
const longestMs = 3_600_000

export type LeavingSettings = Pick<ProxySettings, 'terminationDrainDuration'> & SettingsOf<typeof leavingTable>

type LeavingProxy = Pick<Proxy, 'withdraw' | 'drainInbound' | 'drain'>

export class Leaving {
  readonly #proxy: LeavingProxy
  readonly #totalMs: number
  /** Undefined: the end comes when its time is over, at the latest. */
  readonly #leastMs: number | undefined
  readonly #clock: Clock
  #withdrawn: Promise<void> | undefined
  #least: Promise<void> = Promise.resolve()
  #endsAt = 0

  constructor(proxy: LeavingProxy, { terminationDrainDuration, exitOnZeroActiveConnections, minimumDrainDuration }: LeavingSettings, clock: Clock) {
    this.#proxy = proxy
    this.#totalMs = exitOnZeroActiveConnections ? longestMs : terminationDrainDuration
    this.#leastMs = exitOnZeroActiveConnections ? minimumDrainDuration : undefined
    this.#clock = clock
  }

  get totalMs(): number {
    return this.#totalMs
  }

  get leftMs(): number {
    return this.#withdrawn === undefined ? this.#totalMs : Math.max(0, this.#endsAt - this.#clock.now())
  }

  /** Half of the time at most: the rest is for those who are being served. */
  withdraw(): Promise<void> {
    if (this.#withdrawn === undefined) {
      this.#endsAt = this.#clock.now() + this.#totalMs
      const least = this.#leastMs
      if (least !== undefined) this.#least = new Promise((resolve) => void this.#clock.after(least, resolve))
      this.#withdrawn = this.#proxy.withdraw(Math.min(withdrawMs, this.#totalMs / 2))
    }
    return this.#withdrawn
  }

  /** The workload may go on to ask others. Resolves with the number of connections to it that are left. */
  async drainInbound(): Promise<number> {
    await this.withdraw()
    const [open] = await Promise.all([this.#proxy.drainInbound(this.leftMs), this.#least])
    return open
  }

  /** All that comes before the proxy is closed, which takes what is left of the time. */
  async beforeEnd(): Promise<void> {
    await this.withdraw()
    if (this.#leastMs !== undefined) await Promise.all([this.#proxy.drain(this.leftMs), this.#least])
  }
}
