// What a translator is: `view` picks the little of the world that one resource depends on, `build` turns that and nothing
// else into a message. So the view is the cache key: proxies with equal views share one build and one encoding, and a
// push rebuilds only what changed. Parts of a view are compared by identity: the snapshot keeps unchanged parts.
import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, Message, MessageInitShape } from '@bufbuild/protobuf'
import type { Snapshot } from '../snapshot.ts'
import { typeUrlOf } from './any.ts'
import { encodeByRows } from './encode-rows.ts'
import type { ProxyNode } from './proxy-node.ts'
import { SharedGroups } from './shared.ts'
import type { Sharing } from './shared.ts'

type Scalar = string | number | boolean | undefined
/** Scalars, objects of the snapshot, and lists of both. */
export type ViewPart = Scalar | object

/** One resource as it goes on the wire. */
export interface Built {
  readonly name: string
  readonly typeUrl: string
  readonly message: Message
  readonly bytes: Uint8Array
  /** Hash of the bytes: equal versions are equal resources, on every replica and after every restart. */
  readonly version: string
}

/** Translates some of the resources of one type. */
export interface Translator {
  readonly typeUrl: string
  readonly schema: DescMessage
  /** The names that this proxy gets, or may ask for, from this translator. */
  readonly names: (proxy: ProxyNode, snapshot: Snapshot) => readonly string[]
  /** Undefined when the proxy has no such resource, or another translator has it. Throws what `build` throws. */
  translate(proxy: ProxyNode, snapshot: Snapshot, name: string, cache: BuildCache): Built | undefined
  /** All of the names. The same list as before where nothing changed and proxies share it; `rescue` stands in for `build` where it throws. */
  all(proxy: ProxyNode, snapshot: Snapshot, cache: BuildCache, rescue: Rescue): readonly Built[]
}

export type Rescue = (name: string, error: unknown) => Built | undefined

interface Parts<View, Schema extends DescMessage> {
  readonly schema: Schema
  readonly names: (proxy: ProxyNode, snapshot: Snapshot) => readonly string[]
  readonly view: (proxy: ProxyNode, snapshot: Snapshot, name: string) => View | undefined
  readonly build: (view: View) => MessageInitShape<Schema>
  /** A list of messages, by its name, of which builds share those that did not change: they are encoded once. */
  readonly rows?: string
  /** Without it every proxy's views are made one by one. */
  readonly sharing?: (proxy: ProxyNode, snapshot: Snapshot) => Sharing
}

/** Makes a translator of its two halves. */
export function translator<View extends { readonly [part: string]: ViewPart }, Schema extends DescMessage>(
  label: string,
  parts: Parts<View, Schema>,
): Translator {
  const typeUrl = typeUrlOf(parts.schema)
  const one = (proxy: ProxyNode, snapshot: Snapshot, name: string, cache: BuildCache): Built | undefined => {
    const view = parts.view(proxy, snapshot, name)
    if (view === undefined) return undefined
    return cache.get(`${label} ${name} ${viewKey(view)}`, () => encode(parts, typeUrl, name, parts.build(view)))
  }
  const { schema, names, sharing } = parts
  if (sharing === undefined) {
    const all: Translator['all'] = (proxy, snapshot, cache, rescue) =>
      [...new Set(names(proxy, snapshot))].flatMap((name) => attempt(() => one(proxy, snapshot, name, cache), name, rescue) ?? [])
    return { typeUrl, schema, names, translate: one, all }
  }
  return {
    typeUrl,
    schema,
    names,
    translate: (proxy, snapshot, name, cache) =>
      cache.shared.at(label, sharing(proxy, snapshot)).get(name, () => one(proxy, snapshot, name, cache)),
    all(proxy, snapshot, cache, rescue) {
      const group = cache.shared.at(label, sharing(proxy, snapshot))
      return group.list(() => names(proxy, snapshot), (name) => one(proxy, snapshot, name, cache), rescue)
    },
  }
}

function attempt(make: () => Built | undefined, name: string, rescue: Rescue): Built | undefined {
  try {
    return make()
  } catch (error) {
    return rescue(name, error)
  }
}

function encode<Schema extends DescMessage>({ schema, rows }: Pick<Parts<never, Schema>, 'schema' | 'rows'>, typeUrl: string, name: string, init: MessageInitShape<Schema>): Built {
  const message = create(schema, init)
  const bytes = rows === undefined ? toBinary(schema, message) : encodeByRows(schema, message, rows)
  const version = createHash('sha256').update(bytes).digest('base64url').slice(0, 16)
  return { name, typeUrl, message, bytes, version }
}

/** Built resources by view, the least recently used dropped first. */
export class BuildCache {
  readonly #entries = new Map<string, Built>()
  readonly #limit: number
  readonly shared = new SharedGroups()
  builds = 0

  /** 60,000 entries are what Istio keeps; an entry is a few hundred bytes to a few kilobytes. */
  constructor(limit = 60_000) {
    this.#limit = limit
  }

  get(key: string, build: () => Built): Built {
    const known = this.#entries.get(key)
    const built = known ?? this.#build(build)
    if (known !== undefined) this.#entries.delete(key)
    this.#entries.set(key, built)
    if (this.#entries.size > this.#limit) this.#dropOldest()
    return built
  }

  #build(build: () => Built): Built {
    this.builds++
    return build()
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key)
      return
    }
  }
}

const identities = new WeakMap<object, string>()
let nextIdentity = 1

/** A short text that is equal for equal views. */
export function viewKey(view: { readonly [part: string]: ViewPart }): string {
  return Object.values(view).map(partKey).join('\u0001')
}

function partKey(part: ViewPart): string {
  if (typeof part !== 'object') return typeof part === 'string' ? JSON.stringify(part) : String(part)
  const known = identities.get(part)
  if (known !== undefined) return known
  const key = Array.isArray(part) ? listKey(part) : `#${nextIdentity++}`
  identities.set(part, key)
  return key
}

/** Lists are compared by content. A long one is hashed, so that keys stay short. */
function listKey(list: readonly unknown[]): string {
  const text = `[${list.map((part) => partKey(part as ViewPart)).join(',')}]`
  return text.length < 200 ? text : `[${createHash('sha256').update(text).digest('base64url')}]`
}
