// Gathers what is to be written, so that every transport makes one system call for all that was written to it, and all of
// them make theirs together: at the end of the event loop's turn, when everything that could be read has been read. A
// peer that is written to wakes up, which costs the kernel more than the write itself; peers that are written to together
// wake up once. Without a read callback that caused it, what was written goes out on the next tick.
import { holdTime, releaseTime } from '../lib/clock.ts'

export interface Flushable {
  /** Writes what was gathered, and tells its owner what came of it. */
  flushTurn(): void
}

/** More transports than this do not wait for the end of the turn: it bounds the delay, and the blocks that they hold. */
const maxWaiting = 64

let depth = 0
let scheduled = false
let waiting: Flushable[] = []

/** Each caller sees to it that it asks once per turn. */
export function flushAtEndOfTurn(one: Flushable): void {
  waiting.push(one)
  if (depth > 0 || scheduled) return
  scheduled = true
  process.nextTick(flushAll)
}

/** Around each callback of a read or a write. Time stands still in between. */
export function enterTurn(): void {
  if (depth++ === 0) holdTime()
}

/** Nested ones leave the flushing to the outermost one. */
export function leaveTurn(): void {
  if (--depth > 0) return
  releaseTime()
  if (waiting.length >= maxWaiting) flushAll()
  else if (waiting.length > 0 && !scheduled) {
    scheduled = true
    setImmediate(flushAll)
  }
}

/** What a flush causes to be written is flushed in the same go. If one throws, the others still get their turn. */
function flushAll(): void {
  scheduled = false
  depth++
  let i = 0
  try {
    while (i < waiting.length) waiting[i++]!.flushTurn()
  } finally {
    depth--
    if (i < waiting.length) {
      waiting = waiting.slice(i)
      scheduled = true
      process.nextTick(flushAll)
    } else while (waiting.length > 0) waiting.pop() // much cheaper than setting its length
  }
}
