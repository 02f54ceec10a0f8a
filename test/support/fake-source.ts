// A resource source whose content a test sets by hand: `CDS: { a: '1' }` is a cluster `a` in version 1. It records what the
// server tells it, in order.
import { MeshError } from '../../src/lib/errors.ts'
import type { ConnectingNode, ProxySession, Push, ResourceSource, ServedResource } from '../../src/control/serve/resource-source.ts'
import { pushOrder, typeNameOf } from '../../src/xds/types.ts'
import type { TypeName } from '../../src/xds/types.ts'

export type Content = Partial<Record<TypeName, Readonly<Record<string, string>>>>

/** The least that has a name: field 1 of all our types. */
function nameOnly(_: TypeName, name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name)
  return Uint8Array.of(0x0a, bytes.length, ...bytes)
}

export class FakeSource implements ResourceSource {
  ready = true
  /** `sent CDS 1`, `nacked CDS: why`, `pushed 1`, `closed`. */
  readonly record: string[] = []
  readonly #watchers = new Set<() => void>()
  /** Types that were looked up. */
  readonly asked: TypeName[] = []
  #content: Content
  #generation = 1
  #resources = new Map<string, ServedResource>()
  readonly #listeners = new Set<(push: Push) => void>()
  readonly #encode: (type: TypeName, name: string, version: string) => Uint8Array

  constructor(content: Content = {}, encode: (type: TypeName, name: string, version: string) => Uint8Array = nameOnly) {
    this.#content = content
    this.#encode = encode
  }

  get listening(): number {
    return this.#listeners.size
  }

  /** A push that affects the types that are given, or those whose content is another object. */
  push(content: Content, affected?: readonly TypeName[]): void {
    const before = this.#content
    const types = affected ?? pushOrder.filter((type) => before[type] !== content[type])
    this.#content = content
    const push: Push = { generation: ++this.#generation, affects: (typeUrl) => types.includes(typeNameOf(typeUrl)!) }
    for (const listener of this.#listeners) listener(push)
  }

  connect(node: ConnectingNode): ProxySession {
    if (node.id === 'bad') throw new MeshError('control/bad-node', 'node id "bad" cannot be read')
    const generation = () => this.#generation
    const record = { push: (line: string) => this.#take(line) }
    return {
      node: { id: node.id, namespace: 'default', serviceAccount: 'default' },
      record: {
        sent: (type, at) => record.push(`sent ${type} ${at}`),
        acked: (type) => record.push(`acked ${type}`),
        nacked: (type, error) => record.push(`nacked ${type}: ${error}`),
        pushed: (at) => record.push(`pushed ${at}`),
      },
      get generation() {
        return generation()
      },
      lists: (typeUrl) => [Object.keys(this.#content[this.#asks(typeUrl)] ?? {}).flatMap((name) => this.#resource(typeUrl, name) ?? [])],
      get: (typeUrl, name) => (this.#asks(typeUrl), this.#resource(typeUrl, name)),
      close: () => record.push('closed'),
    }
  }

  onPush(listener: (push: Push) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when the server has told it, which it may have done already. */
  async told(line: string): Promise<void> {
    while (!this.record.includes(line)) await new Promise<void>((resolve) => this.#watchers.add(resolve))
  }

  #take(line: string): void {
    this.record.push(line)
    for (const wake of this.#watchers) wake()
    this.#watchers.clear()
  }

  #asks(typeUrl: string): TypeName {
    const type = typeNameOf(typeUrl)!
    if (this.asked.at(-1) !== type) this.asked.push(type)
    return type
  }

  #resource(typeUrl: string, name: string): ServedResource | undefined {
    const type = typeNameOf(typeUrl)!
    const version = this.#content[type]?.[name]
    if (version === undefined) return undefined
    const key = `${typeUrl} ${name} ${version}`
    const made = this.#resources.get(key) ?? { name, typeUrl, version, bytes: this.#encode(type, name, version) }
    this.#resources.set(key, made)
    return made
  }
}

