// How the commands that serve wait for their end. Timers and listening sockets of theirs need not keep the process alive:
// this does.

/** The longest that a timer may be set to. */
const longestMs = 2 ** 31 - 1

export function untilStopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve()
  const alive = setInterval(() => {}, longestMs)
  return new Promise((resolve) => {
    stop.addEventListener('abort', () => {
      clearInterval(alive)
      resolve()
    }, { once: true })
  })
}
