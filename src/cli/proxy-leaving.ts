// How a proxy that is told to end leaves the mesh: its endpoint is withdrawn, peers hear of it, what came is served to the
// end; all of it under one deadline, which begins with the first word of it.
import type { Clock } from '../lib/clock.ts'
import { onOff } from '../lib/settings.ts'
import type { Proxy } from '../proxy/main.ts'
import type { ProxySettings } from '../proxy/settings.ts'

export const leavingTable = {
  exitOnZeroActiveConnections: onOff(false, 'Told to end, it waits until nobody is connected any more instead of terminationDrainDuration, an hour at most (EXIT_ON_ZERO_ACTIVE_CONNECTIONS).'),
}

/** Peers that do not hear of it in time are served all the same. */
const withdrawMs = 2_000
/** Nobody waits for ever for a client that stays. */
const longestMs = 3_600_000

export class Leaving {
  readonly #proxy: Proxy
  readonly #totalMs: number
  readonly #clock: Clock
  #withdrawn: Promise<void> | undefined
  #endsAt = 0

  constructor(proxy: Proxy, { terminationDrainDuration, exitOnZeroActiveConnections }: Pick<ProxySettings, 'terminationDrainDuration'> & { readonly exitOnZeroActiveConnections: boolean }, clock: Clock) {
    this.#proxy = proxy
    this.#totalMs = exitOnZeroActiveConnections ? longestMs : terminationDrainDuration
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
      this.#withdrawn = this.#proxy.withdraw(Math.min(withdrawMs, this.#totalMs / 2))
    }
    return this.#withdrawn
  }

  /** The workload may go on to ask others. Resolves with the number of connections to it that are left. */
  async drainInbound(): Promise<number> {
    await this.withdraw()
    return await this.#proxy.drainInbound(this.leftMs)
  }
}
