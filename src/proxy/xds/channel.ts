// One HTTP/2 connection to the control plane or CA, and gRPC calls on it. It never reconnects: when it is gone, whoever
// needs another opens one. The server is verified by the mesh's roots and its name; over plaintext only loopback is dialled.
import { connect } from 'node:http2'
import type { ClientHttp2Session, SecureClientSessionOptions } from 'node:http2'
import { formatGrpcTimeout } from '../../codec/grpc/timeout.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { ownConnection } from '../../net/own-mark.ts'
import { splitCertificates } from '../../security/x509/pem.ts'
import type { CertificateSecret } from '../identity/secrets.ts'
import { Call } from './call.ts'
import type { CallHandler } from './call.ts'
import { rpcError } from './rpc-error.ts'
import type { RpcError } from './rpc-error.ts'

export interface ChannelTls {
  /** PEM bundle that vouches for the server. */
  readonly roots: string
  /** A name or address in the server's certificate; empty for the one that is dialled. */
  readonly serverName: string
  /** Who we are, once we know. */
  readonly certificate: CertificateSecret | undefined
}

export interface ChannelLimits {
  /** For connection and TLS handshake. */
  readonly connectTimeoutMs: number
  /** Finds servers that vanished without a word. */
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  /** The clusters of some 50,000 services in one message. */
  readonly maxMessageBytes: number
}

const defaultChannelLimits: ChannelLimits = { connectTimeoutMs: 10_000, pingIntervalMs: 30_000, pingTimeoutMs: 10_000, maxMessageBytes: 64 * 1024 * 1024 }

export interface ChannelOptions {
  readonly address: Address
  /** Undefined: plaintext. */
  readonly tls: ChannelTls | undefined
  readonly limits?: Partial<ChannelLimits>
  readonly clock?: Clock
}

export interface UnaryOptions {
  readonly metadata?: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

export interface Channel {
  /** Rejects with an RpcError. */
  unary(path: string, message: Uint8Array, options: UnaryOptions): Promise<Uint8Array>
  stream(path: string, metadata: Readonly<Record<string, string>>, handler: CallHandler): Call
  /** Ends all calls. */
  close(): void
}

/** A large state of the world comes in one go: node's 64 KB would cost a round trip for each of its pieces. */
const windowBytes = 1024 * 1024

/** Begins to connect; what is called before that is done waits. Throws `rpc/failed-precondition` for options that are not safe. */
export function openChannel(options: ChannelOptions): Channel {
  const { address, tls } = options
  if (tls === undefined && !isLoopback(address.host)) {
    throw rpcError('rpc/failed-precondition', `plaintext to ${formatAddress(address)} is refused: without TLS only a control plane on loopback is dialled`)
  }
  return new Http2Channel(options)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

class Http2Channel implements Channel {
  readonly #session: ClientHttp2Session
  readonly #clock: Clock
  readonly #limits: ChannelLimits
  readonly #where: string
  #cancelTimer: () => void = () => {}
  #failure: RpcError | undefined

  constructor({ address, tls, limits, clock = systemClock }: ChannelOptions) {
    this.#limits = { ...defaultChannelLimits, ...limits }
    this.#clock = clock
    this.#where = formatAddress(address)
    this.#session = connect(`${tls === undefined ? 'http' : 'https'}://${this.#where}`, {
      settings: { enablePush: false, initialWindowSize: windowBytes },
      ...(tls === undefined ? {} : { ...secureOptions(tls), ...carriedBy(address) }),
    })
    this.#session.on('error', (error) => this.#fail(rpcError('rpc/unavailable', `no connection to ${this.#where}`, error)))
    this.#session.on('connect', () => this.#connected())
    this.#session.on('close', () => this.#cancelTimer())
    const { connectTimeoutMs } = this.#limits
    this.#cancelTimer = clock.after(connectTimeoutMs, () => this.#fail(rpcError('rpc/unavailable', `no connection to ${this.#where} within ${connectTimeoutMs} ms`)))
  }

  unary(path: string, message: Uint8Array, { metadata = {}, timeoutMs }: UnaryOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      let answer: Uint8Array | undefined
      const done = (error: RpcError | undefined): void => {
        cancelTimer()
        if (error !== undefined) reject(error)
        else if (answer === undefined) reject(rpcError('rpc/internal', `${path} was answered with OK but without a message`))
        else resolve(answer)
      }
      const call = this.stream(path, { ...metadata, 'grpc-timeout': formatGrpcTimeout(timeoutMs) }, {
        onMessage: (bytes) => (answer === undefined ? (answer = bytes) : call.fail(rpcError('rpc/internal', `${path} was answered with more than one message`))),
        onEnd: done,
      })
      const cancelTimer = this.#clock.after(timeoutMs, () => call.fail(rpcError('rpc/deadline-exceeded', `no answer from ${this.#where} within ${timeoutMs} ms`)))
      call.send(message)
      call.end()
    })
  }

  stream(path: string, metadata: Readonly<Record<string, string>>, handler: CallHandler): Call {
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'trysail', ...metadata }
    if (this.#session.destroyed || this.#session.closed) throw this.#failure ?? rpcError('rpc/unavailable', `the connection to ${this.#where} is closed`)
    const call = new Call(this.#session.request(headers), this.#limits.maxMessageBytes, {
      onMessage: (bytes) => handler.onMessage(bytes),
      // The connection knows better why a stream of it was cut off.
      onEnd: (error) => handler.onEnd(error === undefined ? undefined : (this.#failure ?? error)),
    })
    return call
  }

  close(): void {
    this.#cancelTimer()
    this.#session.destroy()
  }

  #connected(): void {
    this.#cancelTimer()
    this.#session.setLocalWindowSize(windowBytes)
    this.#pingLater()
  }

  #pingLater(): void {
    this.#cancelTimer = this.#clock.after(this.#limits.pingIntervalMs, () => this.#ping())
  }

  #ping(): void {
    const { pingTimeoutMs } = this.#limits
    const lost = (): void => this.#fail(rpcError('rpc/unavailable', `${this.#where} did not answer a ping within ${pingTimeoutMs} ms`))
    this.#cancelTimer = this.#clock.after(pingTimeoutMs, lost)
    if (this.#session.destroyed) return this.#cancelTimer()
    this.#session.ping((error) => {
      this.#cancelTimer()
      if (error === null) this.#pingLater()
    })
  }

  #fail(error: RpcError): void {
    this.#failure ??= error
    this.close()
  }
}

/** Where a redirect leaves alone what is ours by its mark, this connection is ours too. */
function carriedBy(address: Address): SecureClientSessionOptions {
  const socket = ownConnection(address)
  return socket === undefined ? {} : { socket }
}

function secureOptions({ roots, serverName, certificate }: ChannelTls): SecureClientSessionOptions {
  const ca = [...splitCertificates(roots)]
  // Without `ca`, the whole world's authorities would be trusted.
  if (ca.length === 0) throw rpcError('rpc/failed-precondition', 'there are no roots to verify the control plane by')
  return {
    ca,
    minVersion: 'TLSv1.2',
    ...(serverName === '' ? {} : { servername: serverName }),
    ...(certificate === undefined ? {} : { cert: certificate.chain, key: certificate.key }),
  }
}
