// How many connections were refused before any service saw them, by reason.
import type { Refusal } from './accept.ts'

const none: Readonly<Record<Refusal, number>> = {
  'too-many-connections': 0, 'too-many-handshakes': 0, 'no-filter-chain': 0, 'no-certificate': 0, 'handshake-failed': 0, 'draining': 0,
}

export class RefusalCounts {
  readonly #counts: Record<Refusal, number> = { ...none }

  count(refusal: Refusal): void {
    this.#counts[refusal]++
  }

  /** `listener_manager.downstream_cx_refused.handshake_failed` and its like. */
  lines(): { readonly name: string; readonly value: number }[] {
    return Object.entries(this.#counts).map(([refusal, value]) => ({ name: `listener_manager.downstream_cx_refused.${refusal.replaceAll('-', '_')}`, value }))
  }
}
