// Hosts that are nothing but an address, and servers to put behind them.
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Address } from '../../src/model/address.ts'
import { reservePort } from '../../src/net/reserve-port.ts'
import type { Host } from '../../src/proxy/upstream/types.ts'

export function hostAt(address: Address): Host {
  return { address, name: `${address.host}:${address.port}`, weight: 1, health: 'healthy', active: 0, workload: '', mutualTls: false, onResult() {} }
}

export interface NamedServer extends AsyncDisposable {
  readonly address: Address
}

/** Says its name, then echoes. */
export async function namedServer(name: string): Promise<NamedServer> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).write(`${name}:`)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Sends, ends, and gives what came back until the connection closed; a reset counts as an end. */
export async function converse(socket: Socket, send: string): Promise<string> {
  let got = ''
  socket.on('data', (bytes: Buffer) => (got += bytes.toString()))
  socket.on('error', () => {})
  socket.end(send)
  await new Promise((resolve) => socket.once('close', resolve))
  return got
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const reserved = await reservePort()
  reserved.release()
  return reserved.address.port
}
