// The control plane's gRPC server on node:http2: one port with TLS for everyone, one without on loopback. It carries the
// methods that it is given (rpc.ts) and knows none of them.
import { constants as cryptoConstants } from 'node:crypto'
import { createSecureServer, createServer } from 'node:http2'
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { listenError } from '../../net/listen-error.ts'
import { identify } from './grpc-caller.ts'
import { GrpcConnection } from './grpc-connection.ts'
import { defaultGrpcLimits } from './grpc-limits.ts'
import type { GrpcLimits } from './grpc-limits.ts'
import { healthMethod } from './health.ts'
import type { Method } from './rpc.ts'

/** PEM: our chain with the leaf first and its key, and the roots by which client certificates are verified. */
export interface ServingIdentity {
  readonly chain: string
  readonly key: string
  readonly roots: string
  /** PEM of revoked client certificates, or empty. */
  readonly crl?: string
}

export interface IdentityProvider {
  current(): ServingIdentity
  /** The identity or the roots have changed. Connections that are open stay as they are. The result ends it. */
  onChange(listener: () => void): () => void
}

export interface GrpcServerOptions {
  readonly methods: readonly Method[]
  /** Undefined: no port with TLS. Port 0: any free one. */
  readonly tls?: { readonly address: Address; readonly identity: IdentityProvider } | undefined
  /** Without TLS, always on 127.0.0.1; undefined for none. */
  readonly plaintextPort?: number | undefined
  readonly limits?: Partial<GrpcLimits>
  readonly clock?: Clock
  readonly log?: (line: string) => void
  /** A client that did not get as far as a call: by TLS, or by the certificate that it showed. */
  readonly onRefused?: (from: Address, reason: string) => void
}

export interface GrpcServer extends AsyncDisposable {
  /** As bound. */
  readonly tlsAddress: Address | undefined
  readonly plaintextAddress: Address | undefined
  /** GOAWAY to all, streams end as Unavailable, calls may finish within `limits.drainMs`. */
  close(): Promise<void>
}

type NodeServer = Http2Server | Http2SecureServer

/** Rejects with `control/listen` when an address is not to be had, `control/tls` when the identity is broken. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const parts = new ServerParts(options)
  try {
    const { tls, plaintextPort } = options
    const tlsAddress = tls === undefined ? undefined : await parts.listenTls(tls.address, tls.identity)
    const plaintextAddress = plaintextPort === undefined ? undefined : await parts.listenPlain({ host: '127.0.0.1', port: plaintextPort })
    return { tlsAddress, plaintextAddress, close: () => parts.close(), [Symbol.asyncDispose]: () => parts.close() }
  } catch (error) {
    await parts.close()
    throw error
  }
}

class ServerParts {
  readonly #limits: GrpcLimits
  readonly #clock: Clock
  readonly #log: (line: string) => void
  readonly #onRefused: (from: Address, reason: string) => void
  readonly #methods: ReadonlyMap<string, Method>
  readonly #servers: NodeServer[] = []
  readonly #connections = new Set<GrpcConnection>()
  readonly #ends: (() => void)[] = []

  constructor({ methods, limits, clock = systemClock, log = () => undefined, onRefused = () => undefined }: GrpcServerOptions) {
    this.#methods = new Map([healthMethod, ...methods].map((method) => [method.path, method]))
    this.#limits = { ...defaultGrpcLimits, ...limits }
    this.#clock = clock
    this.#log = log
    this.#onRefused = onRefused
  }

  listenTls(address: Address, identity: IdentityProvider): Promise<Address> {
    const options = { ...this.#http2Options(), ...secureOptions(identity.current()), handshakeTimeout: this.#limits.handshakeTimeoutMs, requestCert: true, rejectUnauthorized: false }
    const server = usable(() => createSecureServer(options))
    server.on('tlsClientError', (error, socket) => {
      this.#log(`TLS handshake of ${socket.remoteAddress ?? 'a client that left'} failed: ${error.message}`)
      this.#onRefused({ host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }, `TLS handshake failed: ${error.message}`)
    })
    this.#ends.push(identity.onChange(() => this.#rotate(server, identity)))
    return this.#listen(server, address, 'xDS over TLS (xdsPort)')
  }

  listenPlain(address: Address): Promise<Address> {
    return this.#listen(createServer(this.#http2Options()), address, 'xDS without TLS (plaintextPort)')
  }

  async close(): Promise<void> {
    for (const end of this.#ends.splice(0)) end()
    const closed = this.#servers.splice(0).map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    const connections = [...this.#connections]
    for (const connection of connections) connection.drain('the control plane is closing')
    await Promise.all([...closed, ...connections.map((one) => one.closed)])
  }

  #listen(server: NodeServer, address: Address, what: string): Promise<Address> {
    server.maxConnections = this.#limits.maxConnections
    server.on('session', (session) => this.#accept(session))
    server.on('sessionError', (error) => this.#log(`gRPC connection failed: ${error.message}`))
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => reject(new MeshError('control/listen', `${what} cannot be served on ${formatAddress(address)}`, listenError(address, cause))))
      server.listen(address.port, address.host, () => {
        this.#servers.push(server)
        const bound = server.address()
        resolve({ host: address.host, port: typeof bound === 'object' && bound !== null ? bound.port : address.port })
      })
    })
  }

  #accept(session: ServerHttp2Session): void {
    const identified = identify(session)
    if (!identified.ok) {
      this.#log(`refused ${formatAddress(identified.from)}: ${identified.reason}`)
      this.#onRefused(identified.from, identified.reason)
      session.destroy()
      return
    }
    const caller = { ...identified.caller, bearer: '' }
    const connection = new GrpcConnection(session, { caller, methods: this.#methods, limits: this.#limits, clock: this.#clock, log: this.#log })
    this.#connections.add(connection)
    session.once('close', () => this.#connections.delete(connection))
  }

  /** A broken identity changes nothing: the one in use may be good for hours yet. */
  #rotate(server: Http2SecureServer, identity: IdentityProvider): void {
    try {
      server.setSecureContext(secureOptions(identity.current()))
    } catch (error) {
      this.#log(`the new certificate cannot be used, the one before stays: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #http2Options() {
    return { settings: { maxConcurrentStreams: this.#limits.maxStreamsPerConnection, enablePush: false } }
  }
}

function secureOptions({ chain, key, roots, crl = '' }: ServingIdentity) {
  const ca = roots.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  // Without `ca`, the whole world's authorities would be trusted.
  if (ca.length === 0) throw new MeshError('control/tls', 'there are no roots to verify client certificates by')
  return {
    cert: chain, key, ca, ...(crl === '' ? {} : { crl }), minVersion: 'TLSv1.2' as const, honorCipherOrder: true,
    // A resumed session would skip the verification of the client's certificate by the roots of today.
    secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
  }
}

function usable<Made>(make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    throw new MeshError('control/tls', 'the control plane\'s certificate cannot be used', error)
  }
}
