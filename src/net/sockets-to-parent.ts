// Makes sockets in the network that this process is in and hands them to the process that started it, over node's own
// channel between the two. A socket belongs to the network in which it was made, whoever has it.
import { createSocket } from 'node:dgram'
import type { Socket as DatagramSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { MeshError } from '../lib/errors.ts'
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'
import { listenError } from './listen-error.ts'
import { handleOf } from './socket-options.ts'

export interface WantedSocket {
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly address: Address
}

/** Beside the socket itself. */
export interface MadeSocket {
  readonly name: string
}

type Send = (message: MadeSocket, socket: object, done: (error: Error | null) => void) => void

/** Resolves once the parent has them all. */
export async function socketsToParent(wanted: readonly WantedSocket[], send: Send): Promise<void> {
  for (const one of wanted) {
    const socket = await (one.protocol === 'tcp' ? tcpHandle(one.address) : boundDatagram(one.address))
    await new Promise<void>((resolve, reject) => {
      send({ name: one.name }, socket, (error) => (error === null ? resolve() : reject(new MeshError('net/failed', `the socket ${formatAddress(one.address)} cannot be handed over`, error))))
    })
  }
}

/** The bare socket: options that node keeps beside it are the receiver's to choose. */
function tcpHandle(address: Address): Promise<object> {
  const server = createServer({ pauseOnConnect: true })
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(address, error)))
    server.listen({ host: address.host, port: address.port, backlog: 4096 }, () => resolve(handleOf(server)!))
  })
}

function boundDatagram({ host, port }: Address): Promise<DatagramSocket> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(listenError({ host, port }, error)))
    socket.bind({ address: host, port }, () => resolve(socket))
  })
}
