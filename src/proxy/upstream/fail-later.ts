// A failure that is known at once is still told after the call that asked, never inside of it.

/** The result gives up: then nothing is told. */
export function failLater(tell: () => void): () => void {
  let given = false
  queueMicrotask(() => {
    if (!given) tell()
  })
  return () => (given = true)
}
