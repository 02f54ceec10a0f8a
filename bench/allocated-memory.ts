// What the C library has given out in this process and not got back. Its free pieces are not in it: how many pages they keep is a
// question of where they lie, and rises for an hour without anything being held.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

interface Koffi {
  struct(name: string, members: Record<string, string>): unknown
  load(path: null): { func(name: string, result: unknown, args: readonly string[]): () => Record<string, number | bigint> }
}

/** Of `struct mallinfo2`, in its order. */
const fields = ['arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks', 'uordblks', 'fordblks', 'keepcost']

/** Where the C library cannot be asked (musl; koffi is not installed), what the process has of the heap that only it grows: less exact. */
export function openAllocated(): () => number {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    const info = koffi.load(null).func('mallinfo2', koffi.struct('mallinfo2', Object.fromEntries(fields.map((field) => [field, 'size_t']))), [])
    return () => {
      const { uordblks, hblkhd } = info()
      return Number(uordblks) + Number(hblkhd)
    }
  } catch {
    return residentHeap
  }
}

/** V8's own spaces are not in it. */
function residentHeap(): number {
  const found = /\[heap\]\nSize: .*\n(?:\w.*\n)*?Rss: +(\d+) kB/.exec(readFileSync('/proc/self/smaps', 'latin1'))
  return Number(found?.[1] ?? 0) * 1024
}
