// All resources of one connected proxy, as of one snapshot. A resource that fails to build stays at its last good version,
// alone: the others of the proxy go on.
import { describe } from '../../lib/errors.ts'
import { changedNames, inList } from '../../xds/changes.ts'
import { sameItems } from '../intern.ts'
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
  readonly #lists = new Map<TypeName, readonly (readonly Built[])[]>()
  readonly #report: (problem: BuildProblem) => void

  constructor(proxy: ProxyNode, cache: BuildCache, report: (problem: BuildProblem) => void) {
    this.proxy = proxy
    this.#cache = cache
    this.#report = report
  }

  /**
   * Every resource of a type that a proxy may have, which is what a wildcard subscription gets: a list of each translator,
   * the same one as before where nothing in it changed.
   */
  lists(type: TypeName, snapshot: Snapshot): readonly (readonly Built[])[] {
    const before = this.#lists.get(type)
    const lists = translators[type].map((translator, at) => {
      const list = translator.all(this.proxy, snapshot, this.#cache, (name, error) => this.#rescue(type, name, error))
      const known = before?.[at]
      if (known === list) return list
      if (known !== undefined && sameItems(known, list)) return known
      this.#keepGood(type, known ?? [], list)
      return list
    })
    this.#lists.set(type, lists)
    return lists
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
      return this.#rescue(type, name, error)
    }
  }

  #rescue(type: TypeName, name: string, error: unknown): Built | undefined {
    this.#report({ proxy: this.proxy.id, type, name, message: describe(error) })
    return this.#good.get(`${type} ${name}`)
  }

  #keepGood(type: TypeName, before: readonly Built[], now: readonly Built[]): void {
    for (const name of changedNames(before, now)) {
      const built = inList(now, name)
      if (built === undefined) this.#good.delete(`${type} ${name}`)
      else this.#good.set(`${type} ${name}`, built)
    }
  }
}
