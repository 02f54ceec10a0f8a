// Transports on raw stream handles, of sockets that node made and of connections that it never makes a socket of.
import type { Server } from 'node:net'
import { ConnectionTaker } from './accept-handles.ts'
import type { ConnectDone, ConnectOptions } from './connect.ts'
import { HandleLife, SocketLife } from './connection-life.ts'
import { HandleDialer } from './dial-handles.ts'
import { HandleIo } from './handle-io.ts'
import { HandleTransport } from './handle-transport.ts'
import { socketTransports } from './socket-transport.ts'
import { handleOf, loadBinding, loadDialBinding } from './stream-handles.ts'
import type { StreamHandle } from './stream-handles.ts'
import type { Connected, Taking, Transports } from './transport-options.ts'
import type { Transport } from './transport.ts'

/** Undefined where node does not give handles out. A socket without a usable handle falls back to the public API. */
export function loadHandleTransports(): Transports | undefined {
  const binding = loadBinding()
  if (binding === undefined) return undefined
  const io = new HandleIo(binding)
  const life = new HandleLife(io)
  const dialing = loadDialBinding()
  const dialer = dialing === undefined ? undefined : new HandleDialer(io, life, dialing)
  const transports: Transports = {
    name: 'handles',
    wrap: (connected) => {
      const handle = handleOf(connected.socket)
      return handle === undefined ? socketTransports.wrap(connected) : wrap(io, handle, connected)
    },
    take: (server: Server, taking: Taking) => new ConnectionTaker(io, life, transports, taking).take(server),
    ...(dialer !== undefined && { dial: (options: ConnectOptions, done: ConnectDone) => dialer.dial(options, done) }),
  }
  return transports
}

function wrap(io: HandleIo, handle: StreamHandle, { socket, raw, ...connected }: Connected): Transport {
  const life = new SocketLife(socket, raw)
  const transport = new HandleTransport(io, handle, { ...connected, life, carrier: connected.tls === undefined ? undefined : handleOf(raw) })
  for (const read of life.handOver(handle, transport)) transport.hold(read)
  io.own(handle, transport)
  return transport
}
