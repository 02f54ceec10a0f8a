// Writes down what operators changed: each resource that is in use from now on, in another version or no longer. Contents
// are not written, only their hash; of secrets not even that.
import { createHash } from 'node:crypto'
import type { Resource } from '../model/resource.ts'
import type { Service } from '../model/service.ts'
import type { ConfigEvent, WriteAudit } from '../telemetry/audit/events.ts'
import type { MeshConfigSpec } from './specs.ts'

/** What is in use. Of services only those that no other resource makes. */
export interface UsedConfig {
  readonly resources: readonly Resource[]
  readonly services: readonly Service[]
  readonly meshConfig: MeshConfigSpec | undefined
}

interface Item extends Pick<ConfigEvent, 'kind' | 'namespace' | 'name' | 'origin'> {
  readonly content: unknown
}

interface Known {
  readonly item: Item
  readonly hash: string
}

export class ConfigAudit {
  readonly #write: WriteAudit
  #before: ReadonlyMap<string, Known> = new Map()

  constructor(write: WriteAudit) {
    this.#write = write
  }

  follow(used: UsedConfig, generation: number): void {
    const now = new Map<string, Known>()
    for (const item of itemsOf(used)) now.set(`${item.kind}/${item.namespace}/${item.name}`, this.#known(item))
    for (const [key, known] of this.#before) if (!now.has(key)) this.#say('config-removed', known, generation)
    for (const [key, known] of now) {
      const before = this.#before.get(key)
      if (before === undefined) this.#say('config-added', known, generation)
      else if (!isSame(before, known)) this.#say('config-changed', known, generation)
    }
    this.#before = now
  }

  /** What did not change is the same object as a rule: it is not hashed again. */
  #known(item: Item): Known {
    const before = this.#before.get(`${item.kind}/${item.namespace}/${item.name}`)
    return before !== undefined && before.item.content === item.content && before.item.origin === item.origin ? before : { item, hash: hashOf(item) }
  }

  #say(event: ConfigEvent['event'], { item: { content: _content, ...item }, hash }: Known, generation: number): void {
    this.#write({ event, ...item, generation, hash })
  }
}

function* itemsOf({ resources, services, meshConfig }: UsedConfig): Iterable<Item> {
  for (const { kind, metadata: { namespace, name }, origin, spec } of resources) yield { kind, namespace, name, origin: `${origin.file}:${origin.line}`, content: spec }
  for (const one of services) yield { kind: 'Service', namespace: one.namespace, name: one.name, origin: `${one.origin.file}:${one.origin.line}`, content: one }
  if (meshConfig !== undefined) yield { kind: 'MeshConfig', namespace: '', name: '', origin: '', content: meshConfig }
}

/** A line that moved is no change; of a secret nothing is known but that it is another object. */
function isSame(one: Known, other: Known): boolean {
  return one === other || (one.item.kind === 'Secret' ? one.item.content === other.item.content : one.hash === other.hash)
}

/** What is short could be guessed by its hash. */
function hashOf({ kind, namespace, name, content }: Item): string {
  if (kind === 'Secret') return ''
  return createHash('sha256').update(JSON.stringify([kind, namespace, name, content], withoutPlaces)).digest('hex')
}

const withoutPlaces = (field: string, value: unknown): unknown => (field === 'origin' ? undefined : value)
