// Takes a port before the one who will serve it exists: a listening server to hand over to `listen` later. Clients that
// connect meanwhile wait.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Address } from '../model/address.ts'
import { listenError } from './listen-error.ts'

/** As many early clients as may wait for the hand-over; more are turned away. */
const maxWaiting = 128

export interface ReservedPort {
  readonly address: Address
  /** For `listen({ server })`, once. */
  readonly server: Server
  /** Gives the port back unused. */
  release(): void
}

const waitingOf = new WeakMap<Server, { readonly sockets: Socket[]; stop(): void }>()

export function reservePort(host = '127.0.0.1', port = 0): Promise<ReservedPort> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
  const sockets: Socket[] = []
  const hold = (socket: Socket): void => {
    socket.on('error', () => socket.destroy())
    if (sockets.length < maxWaiting) sockets.push(socket)
    else socket.destroy()
  }
  server.on('connection', hold)
  waitingOf.set(server, { sockets, stop: () => server.off('connection', hold) })
  const release = (): void => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close()
  }
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError({ host, port }, error))
    server.once('error', onError)
    server.listen({ host, port }, () => {
      server.off('error', onError)
      resolve({ address: { host, port: (server.address() as AddressInfo).port }, server, release })
    })
  })
}

/** Below what any system hands out for outgoing connections: between our look and the program's bind, only a listener could take it. */
const quietPorts = { from: 20_000, to: 30_000 }
const maxLooks = 32
/** Each is given once before any is given again: the one who asked before may not have bound it yet. */
let nextQuiet = randomInt(quietPorts.from, quietPorts.to)

/** Free a moment ago. For programs that bind it themselves. */
export async function freePort(): Promise<number> {
  for (let look = 0; look < maxLooks; look++) {
    const port = nextQuiet
    nextQuiet = port + 1 < quietPorts.to ? port + 1 : quietPorts.from
    const release = await reservePort('127.0.0.1', port).then(({ release: free }) => free, () => undefined)
    if (release === undefined) continue
    release()
    return port
  }
  const { address, release } = await reservePort()
  release()
  return address.port
}

/** The clients that connected before the hand-over; from now on the server's owner gets them. */
export function takeWaiting(server: Server): readonly Socket[] {
  const waiting = waitingOf.get(server)
  if (waiting === undefined) return []
  waitingOf.delete(server)
  waiting.stop()
  return waiting.sockets.filter((socket) => !socket.destroyed)
}
