// What a translator is: `view` picks the little of the world that one resource depends on, `build` turns that and nothing
// else into a message. So the view is the cache key: proxies with equal views share one build and one encoding, and a
// push rebuilds only what changed. Parts of a view are compared by identity: the snapshot keeps unchanged parts.
import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, Message, MessageInitShape } from '@bufbuild/protobuf'
import type { Snapshot } from '../snapshot.ts'
import { typeUrlOf } from './any.ts'
import type { ProxyNode } from './proxy-node.ts'

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
  /** Undefined when the proxy has no such resource, or another translator has it. */
  translate(proxy: ProxyNode, snapshot: Snapshot, name: string, cache: BuildCache): Built | undefined
}

interface Parts<View, Schema extends DescMessage> {
  readonly schema: Schema
  readonly names: (proxy: ProxyNode, snapshot: Snapshot) => readonly string[]
  readonly view: (proxy: ProxyNode, snapshot: Snapshot, name: string) => View | undefined
  readonly build: (view: View) => MessageInitShape<Schema>
}

/** Makes a translator of its two halves. */
export function translator<View extends { readonly [part: string]: ViewPart }, Schema extends DescMessage>(
  label: string,
  parts: Parts<View, Schema>,
): Translator {
  const typeUrl = typeUrlOf(parts.schema)
  return {
    typeUrl,
    schema: parts.schema,
    names: parts.names,
    translate(proxy, snapshot, name, cache) {
      const view = parts.view(proxy, snapshot, name)
      if (view === undefined) return undefined
      return cache.get(`${label} ${name} ${viewKey(view)}`, () => encode(parts.schema, typeUrl, name, parts.build(view)))
    },
  }
}

function encode<Schema extends DescMessage>(schema: Schema, typeUrl: string, name: string, init: MessageInitShape<Schema>): Built {
  const message = create(schema, init)
  const bytes = toBinary(schema, message)
  const version = createHash('sha256').update(bytes).digest('base64url').slice(0, 16)
  return { name, typeUrl, message, bytes, version }
}

/** Built resources by view, the least recently used dropped first. */
export class BuildCache {
  readonly #entries = new Map<string, Built>()
  readonly #limit: number
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
