// Keeps the objects of the last snapshot where the new ones say the same, so that identity means equality: views stay
// equal, and nothing is built or sent again for a file that was merely saved.
import { isDeepStrictEqual } from 'node:util'

/** Replaces each item by the earlier one of the same key and content; returns the earlier list itself if nothing changed. */
export function internList<Item extends object>(
  earlier: readonly Item[],
  now: readonly Item[],
  keyOf: (item: Item) => string,
  same: (one: Item, other: Item) => boolean = isDeepStrictEqual,
): readonly Item[] {
  if (earlier === now) return earlier
  const there = new Set(earlier)
  const staying = new Set(now)
  // Most items are the very objects of before: keys are only made of those that went and those that came.
  const known = now.every((item) => there.has(item)) ? undefined : Map.groupBy(earlier.filter((item) => !staying.has(item)), keyOf)
  const kept = now.map((item) => (there.has(item) ? item : known?.get(keyOf(item))?.find((old) => same(old, item)) ?? item))
  const unchanged = kept.length === earlier.length && kept.every((item, at) => item === earlier[at])
  return unchanged ? earlier : Object.freeze(kept)
}

/** Whether two lists hold the same objects in the same order. */
export function sameItems(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, at) => item === other[at])
}
