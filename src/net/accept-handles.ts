// Connections of a server before node makes a socket of them: most never become one, which saves half of what it costs to
// accept them and a kilobyte for each that is open.
import type { Server } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { Address } from '../model/address.ts'
import type { ConnectionLife } from './connection-life.ts'
import { HandleInbound } from './handle-inbound.ts'
import type { HandleIo } from './handle-io.ts'
import { isTcpHandle, listeningHandleOf } from './stream-handles.ts'
import type { SocketName, TcpHandle } from './stream-handles.ts'
import { plainHost } from './transport-options.ts'
import type { Taking, Transports } from './transport-options.ts'

export class ConnectionTaker {
  readonly io: HandleIo
  readonly life: ConnectionLife
  readonly transports: Transports
  readonly #taking: Taking

  constructor(io: HandleIo, life: ConnectionLife, transports: Transports, taking: Taking) {
    this.io = io
    this.life = life
    this.transports = transports
    this.#taking = taking
  }

  get handshakeMs(): number {
    return this.#taking.handshakeMs
  }

  /** False: node goes on to make sockets, because the server's handle is another one than is known here. */
  take(server: Server): boolean {
    const listening = listeningHandleOf(server)
    if (listening === undefined) return false
    const eachNeedsIt = !inheritsNoDelay || listening.setNoDelay(true) !== 0
    listening.onconnection = (error, handle) => {
      if (error !== 0 || !isTcpHandle(handle)) return this.#taking.onFailed(error === 0 ? 'no TCP handle' : getSystemErrorName(error))
      if (eachNeedsIt) handle.setNoDelay(true)
      this.#taking.onInbound(new HandleInbound(this, handle, { localAddress: this.#taking.localAddress ?? localEnd(handle), remoteAddress: remoteEnd(handle) }))
    }
    return true
  }
}

/** On Linux a connection has the options of the socket that it was accepted from: a system call less for each. */
const inheritsNoDelay = process.platform === 'linux'

/** Written by node each time, so that it need not be made anew. */
const name: SocketName = { address: '', family: '', port: 0 }
const nowhere: Address = { host: '', port: 0 }

/** A client that has gone already has no address any more. */
const remoteEnd = (handle: TcpHandle): Address => (handle.getpeername(name) === 0 ? { host: plainHost(name.address), port: name.port } : nowhere)

const localEnd = (handle: TcpHandle): Address => (handle.getsockname(name) === 0 ? { host: plainHost(name.address), port: name.port } : nowhere)
