// Closes a connection that may have TLS on top, without crashing node.
import type { Socket } from 'node:net'

/**
 * Destroying a TLS socket in the same turn after the socket below it makes node (24) read freed memory. So it is one or
 * the other: the TLS socket, which takes the lower one along, or for a reset the lower one, whose end the upper follows.
 */
export function closeSocket(socket: Socket, raw: Socket, reset = false): void {
  if (raw.destroyed) return
  if (reset && !isFinishing(socket)) raw.resetAndDestroy()
  else socket.destroy()
}

/** A FIN is on its way: libuv refuses to reset then, and node would take the handle for closed, which it would never be. */
const isFinishing = ({ writableEnded, writableFinished }: Socket): boolean => writableEnded && !writableFinished
