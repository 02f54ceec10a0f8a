// A stream that is opened only once something is there that it needs, such as the first certificate. What is asked for
// meanwhile is remembered.
import { spawn } from '../../lib/errors.ts'
import type { XdsStream } from '../proxy-parts.ts'

export function deferredStream(whenReady: Promise<void>, open: () => XdsStream): XdsStream {
  const wanted = new Map<string, readonly string[]>()
  let stream: XdsStream | undefined
  let closed = false
  const begin = whenReady.then(() => {
    if (closed) return
    stream = open()
    for (const [typeUrl, names] of wanted) stream.subscribe(typeUrl, names)
  })
  // What cannot become ready any more was closed.
  spawn('opening the xDS stream', begin.catch(() => undefined))
  return {
    subscribe(typeUrl, names) {
      if (stream === undefined) wanted.set(typeUrl, names)
      else stream.subscribe(typeUrl, names)
    },
    close() {
      closed = true
      stream?.close()
    },
  }
}
