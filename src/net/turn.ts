// Gathers what is to be written during one turn, so that every transport that was written to makes one system call at
// the end of the read callback that caused it, or on the next tick when there was none.

import { holdTime, releaseTime } from '../lib/clock.ts'

export interface Flushable {
  /** Writes what was gathered, and tells its owner what came of it. */
  flushTurn(): void
}

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

export function enterTurn(): void {
  if (depth++ === 0) holdTime()
}

/** Nested turns leave the flushing to the outermost one. */
export function leaveTurn(): void {
  try {
    if (depth === 1 && waiting.length > 0) flushAll()
  } finally {
    if (--depth === 0) releaseTime()
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
