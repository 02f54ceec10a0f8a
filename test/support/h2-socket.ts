// An HTTP/2 session on a plain socket, with events written down per stream: what stands in for the proxy where the codec
// is held against other implementations.
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { HeaderList } from '../../src/codec/header-list.ts'
import { defaultH2Limits } from '../../src/codec/h2/limits.ts'
import { createClientSession, createServerSession } from '../../src/codec/h2/session.ts'
import type { H2Events, H2Limits, H2Output, H2Session, H2Stream } from '../../src/codec/h2/types.ts'

/** What a stream carried, as its user saw it. */
export interface Seen {
  /** Pseudo-header fields and regular ones. */
  head: readonly string[]
  /** Names of fields that came as never indexed. */
  sensitive: readonly string[]
  readonly interim: number[]
  body: Buffer
  trailers: readonly string[] | undefined
  ended: boolean
  reset: number | undefined
}

export type SeenStream = H2Stream<Seen>

/** Reactions; what is not given is only written down. */
export interface Reactions {
  onRequest?(stream: SeenStream, seen: Seen): void
  /** Complete, reset ones included. */
  onDone?(stream: SeenStream, seen: Seen): void
  onWritable?(stream: SeenStream): void
  onGoAway?(code: number): void
  onSettings?(): void
}

const newSeen = (): Seen => ({ head: [], sensitive: [], interim: [], body: Buffer.alloc(0), trailers: undefined, ended: false, reset: undefined })

function eventsFor(reactions: Reactions): H2Events<Seen> {
  const done = (stream: SeenStream): void => {
    stream.user!.ended = true
    reactions.onDone?.(stream, stream.user!)
  }
  return {
    onRequest(stream, head, end) {
      const seen = newSeen()
      stream.user = seen
      seen.sensitive = head.headers.sensitive ?? []
      seen.head = [head.method, head.scheme, head.authority, head.path, head.protocol, ...head.headers.flat]
      reactions.onRequest?.(stream, seen)
      if (end) done(stream)
    },
    onResponse(stream, head, end) {
      if (head.status < 200) stream.user!.interim.push(head.status)
      else {
        stream.user!.head = [String(head.status), ...head.headers.flat]
        stream.user!.sensitive = head.headers.sensitive ?? []
      }
      if (end) done(stream)
    },
    onData(stream, bytes, at, end) {
      stream.user!.body = Buffer.concat([stream.user!.body, bytes.subarray(at, end)])
    },
    onEnd(stream, trailers) {
      stream.user!.trailers = trailers === undefined ? undefined : [...trailers.flat]
      done(stream)
    },
    onWritable: (stream) => reactions.onWritable?.(stream),
    onReset(stream, code) {
      stream.user!.reset = code
      reactions.onDone?.(stream, stream.user!)
    },
    onClosed() {},
    onGoAway: (_last, code) => reactions.onGoAway?.(code),
    onPong() {},
    onPeerSettings: () => reactions.onSettings?.(),
  }
}

class SocketOutput implements H2Output {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  write(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#socket.write(Buffer.from(bytes.subarray(at, end)))
  }
}

function drive(socket: Socket, session: H2Session<Seen>): void {
  socket.setNoDelay(true)
  socket.on('data', (bytes) => {
    try {
      session.receive(bytes, bytes.length, performance.now())
    } catch (error) {
      socket.destroy(error instanceof Error ? error : undefined)
    }
  })
  socket.on('drain', () => session.onDrain())
  socket.on('error', () => socket.destroy())
  socket.on('close', () => session.onClosed())
}

export function serveSession(socket: Socket, reactions: Reactions, limits: H2Limits = defaultH2Limits): H2Session<Seen> {
  const session = createServerSession<Seen>(new SocketOutput(socket), eventsFor(reactions), limits)
  drive(socket, session)
  return session
}

export interface ClientOnSocket extends AsyncDisposable {
  readonly session: H2Session<Seen>
  /** Sends a request with a body (or none) and waits for its end. */
  ask(method: string, path: string, headers: readonly string[], body?: Buffer, trailers?: readonly string[]): Promise<Seen>
}

export async function openSession(port: number, limits: H2Limits = defaultH2Limits): Promise<ClientOnSocket> {
  const socket = connect(port, '127.0.0.1')
  const waiting = new Map<SeenStream, (seen: Seen) => void>()
  const settings = Promise.withResolvers<void>()
  const session = createClientSession<Seen>(
    new SocketOutput(socket),
    eventsFor({ onDone: (stream, seen) => waiting.get(stream)?.(seen), onSettings: () => settings.resolve() }),
    limits,
  )
  drive(socket, session)
  await settings.promise
  return {
    session,
    ask(method, path, headers, body, trailers) {
      const stream = session.open(newSeen())
      if (stream === undefined) throw new Error('no stream is available')
      const end = Promise.withResolvers<Seen>()
      waiting.set(stream, end.resolve)
      stream.sendRequest(method, 'http', 'a.test', path, HeaderList.of(...headers), body === undefined && trailers === undefined)
      if (body !== undefined) stream.sendData(body, 0, body.length)
      if (body !== undefined || trailers !== undefined) stream.sendEnd(trailers === undefined ? undefined : HeaderList.of(...trailers))
      return end.promise
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.destroy()
      await closed
    },
  }
}
