// Reads from the front of a connection whose it is, as a proxy before this one says in the PROXY protocol.
import { readProxyHead } from '../../codec/proxy-protocol.ts'
import type { Inbound } from '../../net/listen.ts'
import type { Arrival } from './connection.ts'

/** What the codec takes at most. */
const maxHeadBytes = 16 + 4096

/** Undefined: it did not say so in time, or not in a way that can be read. A head that names nobody changes nothing. */
export async function introduce(inbound: Inbound, arrival: Arrival, timeoutMs: number): Promise<Arrival | undefined> {
  const seen = await inbound.peek((bytes) => readProxyHead(bytes).kind !== 'incomplete', { maxBytes: maxHeadBytes, timeoutMs })
  const head = seen === undefined ? undefined : readProxyHead(seen)
  switch (head?.kind) {
    case 'unsaid':
      inbound.skip(head.length)
      return arrival
    case 'said':
      inbound.skip(head.length, { remoteAddress: head.from, localAddress: head.to })
      return { ...arrival, originalDestination: head.to }
    default:
      return undefined
  }
}
