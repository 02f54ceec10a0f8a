// A stream that is opened only once something is there that it needs, such as the first certificate. What is asked for
// meanwhile is remembered.
import { spawn } from '../../lib/errors.ts'
import type { XdsStream } from '../proxy-parts.ts'

export function deferredStream(whenReady: Promise<void>, open: () => XdsStream): XdsStream {
  const wanted = new Map<string, readonly string[]>()
  let stream: XdsStream | undefined
  let closed = false
  let health: { readonly problem: string | undefined } | undefined
  const begin = whenReady.then(() => {
    if (closed) return
    stream = open()
    for (const [typeUrl, names] of wanted) stream.subscribe(typeUrl, names)
    if (health !== undefined) stream.reportHealth?.(health.problem)
  })
  // What cannot become ready any more was closed.
  spawn('opening the xDS stream', begin.catch(() => undefined))
  return {
    subscribe(typeUrl, names) {
      if (stream === undefined) wanted.set(typeUrl, names)
      else stream.subscribe(typeUrl, names)
    },
    mention(typeUrl, names) {
      stream?.mention(typeUrl, names)
    },
    reportHealth(problem) {
      if (stream === undefined) health = { problem }
      else stream.reportHealth?.(problem)
    },
    leave: () => stream?.leave?.() ?? Promise.resolve(),
    close() {
      closed = true
      stream?.close()
    },
  }
}
