// How often policies decided, under Envoy's names: `http.inbound_0.0.0.0_9080.rbac.denied`, and what they would have
// decided: `...istio_dry_run_deny_shadow_denied`. One for all filters of a proxy: they go on when a policy changes.

export interface RbacCounts {
  allowed: number
  denied: number
}

/** With more prefixes than this, the rest is counted together: ports come and go, memory stays. */
const maxPrefixes = 1_000

export class RbacCounters {
  readonly #byPrefix = new Map<string, RbacCounts>()

  /** `prefix` ends where `allowed` and `denied` begin. */
  at(prefix: string): RbacCounts {
    const wanted = this.#byPrefix.has(prefix) || this.#byPrefix.size < maxPrefixes ? prefix : 'others.rbac.'
    const counts = this.#byPrefix.get(wanted) ?? { allowed: 0, denied: 0 }
    this.#byPrefix.set(wanted, counts)
    return counts
  }

  lines(): { readonly name: string; readonly value: number }[] {
    return [...this.#byPrefix].flatMap(([prefix, { allowed, denied }]) => [{ name: `${prefix}allowed`, value: allowed }, { name: `${prefix}denied`, value: denied }])
  }
}
