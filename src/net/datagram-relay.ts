// Leads questions in datagrams (DNS) on to one of several servers, and the answers back. What a datagram says is not looked
// at: whoever answers first on the socket that asked has answered.
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Address } from '../model/address.ts'

export interface DatagramRelayOptions {
  /** Bound already. */
  readonly socket: Socket
  /** As they are now: asked in turn when one does not answer. */
  servers(): readonly Address[]
  /** Questions without an answer so far; more are dropped, as a full network would. */
  readonly maxOpen?: number
  readonly timeoutMs?: number
}

export interface DatagramRelay {
  close(): void
}

export function startDatagramRelay({ socket, servers, maxOpen = 512, timeoutMs = 5000 }: DatagramRelayOptions): DatagramRelay {
  const open = new Set<Socket>()
  let first = 0
  const ask = (question: Buffer, from: RemoteInfo): void => {
    const now = servers()
    const server = now[first % Math.max(1, now.length)]
    if (server === undefined || open.size >= maxOpen) return
    const asking = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4')
    const end = (): void => {
      clearTimeout(timer)
      if (open.delete(asking)) asking.close()
    }
    const lost = (): void => {
      first = (first + 1) % now.length // the client asks again: the next one then
      end()
    }
    const timer = setTimeout(lost, timeoutMs)
    open.add(asking)
    asking.on('error', lost)
    asking.once('message', (answer) => {
      if (!closed) socket.send(answer, from.port, from.address)
      end()
    })
    // Connected: an answer from anybody else is not taken, and a server that is not there is known at once.
    asking.connect(server.port, server.host, () => asking.send(question))
  }
  let closed = false
  socket.on('error', () => {}) // one datagram could not be sent
  socket.on('message', ask)
  return {
    close() {
      closed = true
      socket.close()
      for (const asking of open) asking.close()
      open.clear()
    },
  }
}
