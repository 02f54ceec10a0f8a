// What proxies share of one translator, from snapshot to snapshot: resources by name, and the list of all of them. A view
// is made again only when something that it reads is another object than before. Which objects those are is declared beside
// the view; that a declaration leaves nothing out is held by a property (test/fuzz/incremental.fuzz.test.ts).
import { sameItems } from '../intern.ts'
import type { Snapshot } from '../snapshot.ts'
import type { EndpointIndex } from '../snapshot/services.ts'
import type { ProxyNode } from './proxy-node.ts'
import type { Built } from './translator.ts'

/** What names and views of a translator read, for all proxies of one key. */
export interface Sharing {
  /** Of the proxy: all that a view reads of it. */
  readonly key: string
  /** Objects of the snapshot that any view may read. */
  readonly whole: readonly unknown[]
  /** Objects of the snapshot of which a view reads a part. Without them nothing but `whole` is read. */
  readonly parts?: Parts
}

export interface Parts {
  /** Besides endpoints. */
  readonly indexes: readonly unknown[]
  readonly endpoints: EndpointIndex
  /** What of them the view of a name reads, and whose endpoints: `namespace/hostname`. */
  readonly of: (name: string) => Reads
}

export interface Reads {
  readonly parts: readonly unknown[]
  readonly service: string | undefined
}

const nothing: Reads = { parts: [], service: undefined }

/** Proxies that see the same of the mesh. */
export function scopeKey(proxy: ProxyNode, snapshot: Snapshot): string {
  const { sidecar } = snapshot.scopeOf(proxy, proxy.type)
  return `${proxy.type} ${proxy.namespace} ${sidecar === undefined ? '' : `${sidecar.metadata.namespace}/${sidecar.metadata.name}`}`
}

interface Entry {
  readonly built: Built
  readonly reads: Reads
}

/** Makes one resource; undefined for one that there is not. May throw. */
export type Make = (name: string) => Built | undefined

/** More than a large mesh has: namespaces times Sidecars times places. What is dropped is made again. */
const maxGroups = 2000

export class SharedGroups {
  readonly #groups = new Map<string, SharedGroup>()

  /** The group of a key, brought to what is read now. */
  at(label: string, sharing: Sharing): SharedGroup {
    const key = `${label} ${sharing.key}`
    const group = this.#groups.get(key) ?? new SharedGroup(sharing)
    group.follow(sharing)
    this.#groups.delete(key)
    this.#groups.set(key, group)
    if (this.#groups.size > maxGroups) this.#dropOldest()
    return group
  }

  /** The least recently used one. */
  #dropOldest(): void {
    for (const key of this.#groups.keys()) {
      this.#groups.delete(key)
      return
    }
  }
}

export class SharedGroup {
  #sharing: Sharing
  #names: readonly string[] | undefined
  #list: readonly Built[] | undefined
  #lastList: readonly Built[] = []
  #entries = new Map<string, Entry>()
  /** Of an earlier snapshot: good where the parts that were read are the same. */
  #earlier = new Map<string, Entry>()

  constructor(sharing: Sharing) {
    this.#sharing = sharing
  }

  /** Of what is left from before, only what still holds is kept. */
  follow(sharing: Sharing): void {
    const before = this.#sharing
    if (before === sharing) return
    this.#sharing = sharing
    if (!sameItems(before.whole, sharing.whole)) return this.#forget(new Map())
    const [parts, partsBefore] = [sharing.parts, before.parts]
    if (parts === undefined || partsBefore === undefined) return
    const sameIndexes = sameItems(partsBefore.indexes, parts.indexes)
    if (sameIndexes && partsBefore.endpoints === parts.endpoints) return
    const changed = sameIndexes ? parts.endpoints.changedSince(partsBefore.endpoints) : undefined
    if (changed === undefined) return this.#forget(new Map([...this.#earlier, ...this.#entries]))
    this.#dropServices(changed)
  }

  get(name: string, make: Make): Built | undefined {
    const known = this.#entries.get(name)
    if (known !== undefined) return known.built
    const reads = this.#sharing.parts?.of(name) ?? nothing
    const earlier = this.#earlier.get(name)
    const kept = earlier !== undefined && sameItems(earlier.reads.parts, reads.parts) ? earlier : undefined
    const built = kept === undefined ? make(name) : kept.built
    // Names that do not exist are asked for by anyone: what is kept of them is bounded by what exists.
    if (built !== undefined) this.#entries.set(name, kept ?? { built, reads })
    return built
  }

  /** All of the names, in their order. With a name that `rescue` had to stand in for it is nobody else's. */
  list(names: () => readonly string[], make: Make, rescue: (name: string, error: unknown) => Built | undefined): readonly Built[] {
    if (this.#list !== undefined) return this.#list
    this.#names ??= [...new Set(names())]
    let whole = true
    const list = this.#names.flatMap((name) => {
      try {
        return this.get(name, make) ?? []
      } catch (error) {
        whole = false
        return rescue(name, error) ?? []
      }
    })
    if (!whole) return list
    this.#earlier = new Map()
    this.#lastList = this.#list = sameItems(this.#lastList, list) ? this.#lastList : Object.freeze(list)
    return this.#list
  }

  #forget(earlier: Map<string, Entry>): void {
    this.#earlier = earlier
    this.#entries = new Map()
    this.#names = undefined
    this.#list = undefined
  }

  #dropServices(changed: ReadonlySet<string>): void {
    // Entries that nobody has asked for since an earlier change may be older than what changed now.
    this.#earlier = new Map()
    this.#list = undefined
    for (const [name, { reads: { service } }] of this.#entries) if (service !== undefined && changed.has(service)) this.#entries.delete(name)
  }
}
