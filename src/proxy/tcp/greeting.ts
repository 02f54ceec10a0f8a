// Finds out whether a server speaks first: opens a connection of its own to it, listens for a while, and closes it again.
import type { Clock } from '../../lib/clock.ts'
import type { ClientAddresses, Cluster } from '../upstream/types.ts'

/** `unknown`: it could not be reached, which says nothing of its protocol. */
export type Greeting = 'greets' | 'silent' | 'unknown'

/** How long a server may take to greet: some look up their client's name first. */
export const greetingMs = 3_000

/** `done` is called once, never inside. The result gives up: then it is not called at all. */
export function awaitGreeting(cluster: Cluster, client: ClientAddresses, clock: Clock, done: (greeting: Greeting) => void): () => void {
  let settled = false
  let close = (): void => {}
  const settle = (greeting: Greeting | undefined): void => {
    if (settled) return
    settled = true
    cancelPatience()
    close()
    if (greeting !== undefined) queueMicrotask(() => done(greeting))
  }
  const cancelPatience = clock.after(greetingMs, () => settle('silent'))
  const host = cluster.chooseHost({ hash: undefined, originalDestination: client.originalDestination, tried: [] })
  if (host === undefined) settle('unknown')
  else close = cluster.connect(host, {
    onTransport(transport) {
      if (settled) return transport.destroy()
      close = () => transport.destroy()
      transport.handler = { onData: () => settle('greets'), onDrain() {}, onEnd: () => settle('unknown'), onClose: () => settle('unknown') }
      transport.resume()
    },
    onFailure: () => settle('unknown'),
  }, client)
  return () => settle(undefined)
}
