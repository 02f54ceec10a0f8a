// When a program that nobody has a probe for has begun: once it accepts connections on all ports that the mesh knows of it. A port
// that it does not have, or not yet, is waited for for a while, as long as others accept; with none it could serve nobody anyway.
import type { Clock } from '../../lib/clock.ts'
import { spawn } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import type { Problem } from './probe.ts'

/** A connection costs microseconds on one machine, and the first request of a workload waits for it. */
const lookMs = 100
/** Programs that open their ports one after the other do so within seconds. */
const patienceMs = 30_000
/** A workload has a few ports; more of them would not tell more. */
const maxPorts = 32

export interface FirstAcceptParts {
  readonly clock: Clock
  /** As they are known now; none: it takes no requests, and has begun. */
  ports(): readonly Address[]
  ask(port: Address): Promise<Problem>
  /** Once. What is wrong with ports that are not waited for any more. */
  onBegun(missing: readonly string[]): void
}

/** The result ends it: nothing is said from then on. */
export function watchFirstAccept({ clock, ports, ask, onBegun }: FirstAcceptParts): () => void {
  const until = clock.now() + patienceMs
  let stopped = false
  let cancel = (): void => {}
  const look = async (): Promise<void> => {
    const answers = await Promise.all(ports().slice(0, maxPorts).map(ask))
    if (stopped) return
    const missing = answers.filter((one) => one !== undefined)
    if (missing.length === 0 || (missing.length < answers.length && clock.now() >= until)) return onBegun(missing)
    cancel = clock.after(lookMs, () => spawn('asking the application', look()))
  }
  spawn('asking the application', look())
  return () => {
    stopped = true
    cancel()
  }
}
