// Calls at a time of the wall clock. Timers stand still while a machine sleeps, the validity of a certificate does not:
// so that the clock is looked at again and again.
import type { Clock } from './clock.ts'

/** How late the call may be after a sleep; it also keeps the delay below what timers can take (24 days). */
const lookEveryMs = 30_000

/** Calls `run` once when the clock shows `at` or later, never inside this call; the result cancels it. */
export function callAt(clock: Clock, at: number, run: () => void): () => void {
  let cancel = (): void => {}
  const look = (): void => {
    const left = at - clock.now()
    cancel = clock.after(Math.max(0, Math.min(left, lookEveryMs)), () => (clock.now() >= at ? run() : look()))
  }
  look()
  return () => cancel()
}
