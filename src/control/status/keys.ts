// Keys of resources, each made once: a push asks for those of all resources, and changes one.
import type { Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'

const keys = new WeakMap<Resource, string>()

export function keyOf(one: Resource): string {
  const key = keys.get(one) ?? resourceKey(one.kind, one.metadata.namespace, one.metadata.name)
  keys.set(one, key)
  return key
}
