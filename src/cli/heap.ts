// How a proxy stays small that serves nobody yet. bin/trysail.js starts it with flags for V8 that are for loading only, and they
// are taken back here, step by step. Each is read whenever V8 decides what it is about, so it may be set at any time. What each
// is worth is in docs/performance.md.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * All is loaded. Code that runs once was not worth optimising, and the compilers take 10 MB when they are first used. Before
 * threads are started: theirs would be without them for good.
 */
export function letCodeBeOptimised(): void {
  setFlagsFromString('--opt')
  setFlagsFromString('--maglev')
}

/**
 * Gives back what loading has left behind: V8 keeps its pages, half empty, until it hears that memory is short, and there is no
 * other way to tell it. Takes a tenth of a second, so that it is for a proxy that serves nobody yet.
 */
export function giveBackLoaded(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/**
 * There is traffic, which wants a large young generation: fewer collections, and what a request made dies young. Loading makes
 * 100 MB of short-lived objects: let alone, V8 answers with two semi-spaces of 16 MB, which it keeps for good. 2 is V8's own factor.
 */
export function letYoungHeapGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2')
}
