// Two ends of one real connection over loopback, each a Transport with a recorder as its handler.
import { listen } from '../../src/net/listen.ts'
import type { Inbound } from '../../src/net/listen.ts'
import { connect } from '../../src/net/connect.ts'
import type { ClientTls, ServerTls } from '../../src/net/tls.ts'
import type { Transports } from '../../src/net/transport-options.ts'
import type { Transport, TransportHandler } from '../../src/net/transport.ts'

/** Remembers all that a transport tells, and lets a test wait for it. */
export class Recorder implements TransportHandler {
  readonly transport: Transport
  readonly pieces: Buffer[] = []
  received = 0
  drains = 0
  ended = false
  closes = 0
  error: Error | undefined
  /** Runs inside the callback, after it was recorded. */
  react: (event: 'data' | 'drain' | 'end' | 'close') => void = () => {}
  #waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = []

  constructor(transport: Transport) {
    this.transport = transport
    transport.handler = this
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces)
  }

  onData(bytes: Buffer, length: number): void {
    this.pieces.push(Buffer.from(bytes.subarray(0, length)))
    this.received += length
    this.#tell('data')
  }

  onDrain(): void {
    this.drains++
    this.#tell('drain')
  }

  onEnd(): void {
    this.ended = true
    this.#tell('end')
  }

  onClose(error: Error | undefined): void {
    this.closes++
    this.error = error
    this.#tell('close')
  }

  until(what: () => boolean): Promise<void> {
    if (what()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ until: what, resolve }))
  }

  #tell(event: 'data' | 'drain' | 'end' | 'close'): void {
    this.react(event)
    const done = this.#waiting.filter(({ until }) => until())
    this.#waiting = this.#waiting.filter((one) => !done.includes(one))
    for (const { resolve } of done) resolve()
  }
}

export interface Pair extends AsyncDisposable {
  readonly client: Recorder
  readonly server: Recorder
}

export interface PairOptions {
  readonly transports: Transports
  readonly tls?: { readonly server: ServerTls; readonly client: ClientTls } | undefined
  /** Looks at the server's side before it is taken. */
  prepare?(inbound: Inbound): Promise<void>
}

export async function connectPair({ transports, tls, prepare }: PairOptions): Promise<Pair> {
  const accepted = Promise.withResolvers<Transport>()
  const take = async (inbound: Inbound): Promise<Transport> => {
    await prepare?.(inbound)
    return tls === undefined ? inbound.plain() : await inbound.tls(tls.server)
  }
  const listening = await listen({
    address: { host: '127.0.0.1', port: 0 },
    transports,
    onConnection: (inbound) => void take(inbound).then(accepted.resolve, accepted.reject),
  })
  const [client, server] = await Promise.all([dial(listening.address.port, transports, tls?.client), accepted.promise])
  return {
    client: new Recorder(client),
    server: new Recorder(server),
    async [Symbol.asyncDispose]() {
      client.destroy()
      server.destroy()
      await listening.close()
    },
  }
}

export function dial(port: number, transports: Transports, tls: ClientTls | undefined): Promise<Transport> {
  return new Promise((resolve, reject) => {
    connect({ address: { host: '127.0.0.1', port }, timeoutMs: 5000, tls, serverName: tls === undefined ? '' : 'svc.test', transports }, (error, transport) =>
      transport === undefined ? reject(error!) : resolve(transport),
    )
  })
}

/** Enough turns of the event loop for whatever was under way over loopback to have come through. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}
