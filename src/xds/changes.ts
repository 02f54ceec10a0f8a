// What differs between two lists of resources. Lists are never edited, and those that many proxies share are compared once
// for all of them.
import type { Versioned } from './subscription.ts'

type List = readonly Versioned[]

const indexes = new WeakMap<List, ReadonlyMap<string, Versioned>>()
const compared = new WeakMap<List, { readonly before: WeakRef<List>; readonly names: readonly string[] }>()

/** The resource of a name; of several the first. */
export function inList<Resource extends Versioned>(list: readonly Resource[], name: string): Resource | undefined {
  const known = indexes.get(list) as ReadonlyMap<string, Resource> | undefined
  if (known !== undefined) return known.get(name)
  const index = new Map<string, Resource>()
  for (const one of list) if (!index.has(one.name)) index.set(one.name, one)
  indexes.set(list, index)
  return index.get(name)
}

/** Names of resources that are not the same object in both lists, or in one of them only. */
export function changedNames(before: List, now: List): readonly string[] {
  const known = compared.get(now)
  if (known?.before.deref() === before) return known.names
  const names = compare(before, now)
  compared.set(now, { before: new WeakRef(before), names })
  return names
}

function compare(before: List, now: List): readonly string[] {
  const names: string[] = []
  // Mostly a few have been replaced where they were: then nobody has to look anything up.
  const inPlace = before.length === now.length && now.every((one, at) => one === before[at] || one.name === before[at]!.name)
  if (inPlace) {
    for (const [at, one] of now.entries()) if (one !== before[at]) names.push(one.name)
    return names
  }
  for (const one of now) if (inList(before, one.name) !== one) names.push(one.name)
  for (const one of before) if (inList(now, one.name) === undefined) names.push(one.name)
  return names
}
