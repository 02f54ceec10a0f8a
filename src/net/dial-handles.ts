// Plain TCP connections to addresses (names are looked up elsewhere) on a handle of their own: no node socket stands around
// them, which saves half of what it costs to open one and the kilobytes that it has as long as it is open.
import { isIPv6 } from 'node:net'
import type { Address } from '../model/address.ts'
import type { ConnectDone, ConnectOptions } from './connect.ts'
import type { ConnectionLife } from './connection-life.ts'
import { connectError, connectTimeout, failedConnect } from './errors.ts'
import type { NetError } from './errors.ts'
import type { HandleIo } from './handle-io.ts'
import { HandleTransport } from './handle-transport.ts'
import { keepAliveBy } from './keep-alive.ts'
import { acceptedKey } from './stream-handles.ts'
import type { ConnectRequest, DialBinding, SocketName, TcpHandle } from './stream-handles.ts'
import type { Transport } from './transport.ts'
import { enterTurn, leaveTurn } from './turn.ts'

export class HandleDialer {
  readonly io: HandleIo
  readonly life: ConnectionLife
  readonly #binding: DialBinding

  constructor(io: HandleIo, life: ConnectionLife, binding: DialBinding) {
    this.io = io
    this.life = life
    this.#binding = binding
  }

  /** As `connect` does, for options without TLS whose address is an IP. */
  dial(options: ConnectOptions, done: ConnectDone): () => void {
    const attempt = new HandleAttempt(this, this.newHandle(), options, done)
    attempt.begin()
    return () => attempt.cancel()
  }

  newHandle(): TcpHandle {
    const { TCP, constants } = this.#binding
    return new TCP(constants.SOCKET)
  }

  newRequest(attempt: ConnectRequest['attempt']): ConnectRequest {
    const request = new this.#binding.TCPConnectWrap()
    request.attempt = attempt
    request.oncomplete = onConnected
    return request
  }
}

function onConnected(this: ConnectRequest, status: number): void {
  enterTurn()
  try {
    this.attempt.onConnected(status)
  } finally {
    leaveTurn()
  }
}

/** Written by node each time, so that it need not be made anew. */
const name: SocketName = { address: '', family: '', port: 0 }

class HandleAttempt {
  readonly #dialer: HandleDialer
  readonly #handle: TcpHandle
  readonly #options: ConnectOptions
  readonly #done: ConnectDone
  readonly #timer: NodeJS.Timeout
  #over = false

  constructor(dialer: HandleDialer, handle: TcpHandle, options: ConnectOptions, done: ConnectDone) {
    this.#dialer = dialer
    this.#handle = handle
    this.#options = options
    this.#done = done
    this.#timer = setTimeout(() => this.#fail(connectTimeout(options.address, options.timeoutMs)), options.timeoutMs)
  }

  /** What the kernel refuses at once is told as what it refuses later. */
  begin(): void {
    const error = this.#bind() || this.#connect()
    if (error !== 0) setImmediate(() => this.onConnected(error))
  }

  cancel(): void {
    if (!this.#over) this.#end()
  }

  onConnected(status: number): void {
    if (this.#over) return
    if (status === 0) this.#succeed()
    else this.#fail(connectError(this.#options.address, failedConnect(this.#options.address, status)))
  }

  #bind(): number {
    const { source } = this.#options
    if (source === undefined) return 0
    return isIPv6(source) ? this.#handle.bind6(source, 0, 0) : this.#handle.bind(source, 0)
  }

  #connect(): number {
    const { host, port } = this.#options.address
    const request = this.#dialer.newRequest(this)
    this.#handle.setNoDelay(true)
    return isIPv6(host) ? this.#handle.connect6(request, host, port) : this.#handle.connect(request, host, port)
  }

  #succeed(): void {
    this.#over = true
    clearTimeout(this.#timer)
    const { prologue, keepAlive, onClosed } = this.#options
    const handle = this.#handle
    if (keepAlive !== undefined) keepAliveBy(handle.fd, keepAlive, (seconds) => void handle.setKeepAlive(true, seconds))
    if (onClosed !== undefined) handle[acceptedKey] = { onHandleClosed: onClosed }
    const transport = this.#transport()
    if (prologue !== undefined) transport.write(prologue, 0, prologue.length)
    this.#done(undefined, transport)
  }

  #transport(): Transport {
    const { io, life } = this.#dialer
    const transport = new HandleTransport(io, this.#handle, {
      life, tls: undefined, early: undefined, ended: false, localAddress: this.#localAddress(), remoteAddress: this.#remoteAddress(),
    })
    io.own(this.#handle, transport)
    return transport
  }

  #localAddress(): Address {
    return this.#handle.getsockname(name) === 0 ? { host: name.address, port: name.port } : { host: '', port: 0 }
  }

  /** An IPv6 address may be written in many ways. */
  #remoteAddress(): Address {
    const { address } = this.#options
    return isIPv6(address.host) && this.#handle.getpeername(name) === 0 ? { host: name.address, port: name.port } : address
  }

  #fail(error: NetError): void {
    if (this.#over) return
    this.#end()
    this.#done(error, undefined)
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#dialer.life.close(this.#handle, false, false)
  }
}
