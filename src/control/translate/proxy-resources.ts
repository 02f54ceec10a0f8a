// All resources of one connected proxy, as of one snapshot. A resource that fails to build stays at its last good version,
// alone: the others of the proxy go on.
import { describe } from '../../lib/errors.ts'
import type { Snapshot } from '../snapshot.ts'
import type { ProxyNode } from './proxy-node.ts'
import { translators } from './table.ts'
import type { TypeName } from './table.ts'
import type { BuildCache, Built } from './translator.ts'

export interface BuildProblem {
  readonly proxy: string
  readonly type: TypeName
  readonly name: string
  readonly message: string
}

export class ProxyResources {
  readonly proxy: ProxyNode
  readonly #cache: BuildCache
  readonly #good = new Map<string, Built>()
  readonly #report: (problem: BuildProblem) => void

  constructor(proxy: ProxyNode, cache: BuildCache, report: (problem: BuildProblem) => void) {
    this.proxy = proxy
    this.#cache = cache
    this.#report = report
  }

  /** Every resource of a type that a proxy may have: what a wildcard subscription gets. */
  all(type: TypeName, snapshot: Snapshot): readonly Built[] {
    const names = new Set(translators[type].flatMap((one) => one.names(this.proxy, snapshot)))
    return [...names].flatMap((name) => this.get(type, name, snapshot) ?? [])
  }

  get(type: TypeName, name: string, snapshot: Snapshot): Built | undefined {
    const key = `${type} ${name}`
    try {
      for (const translator of translators[type]) {
        const built = translator.translate(this.proxy, snapshot, name, this.#cache)
        if (built === undefined) continue
        this.#good.set(key, built)
        return built
      }
      this.#good.delete(key)
      return undefined
    } catch (error) {
      this.#report({ proxy: this.proxy.id, type, name, message: describe(error) })
      return this.#good.get(key)
    }
  }
}
