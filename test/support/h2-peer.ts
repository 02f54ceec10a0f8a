// A scripted peer of one HTTP/2 session, in memory: it sends raw frames, and reads what the session wrote and reported,
// both as lines of words.
import { HeaderList } from '../../src/codec/header-list.ts'
import { HpackDecoder } from '../../src/codec/hpack/decoder.ts'
import { H2Error } from '../../src/codec/h2/errors.ts'
import { defaultH2Limits } from '../../src/codec/h2/limits.ts'
import { createClientSession, createServerSession } from '../../src/codec/h2/session.ts'
import type { H2Events, H2Limits, H2Session, H2Stream } from '../../src/codec/h2/types.ts'
import { codes, describeFrame, preface, readFrames, settings, settingsAck } from './h2-frames.ts'
import type { Frame } from './h2-frames.ts'

export type Role = 'server' | 'client'
export type PeerStream = H2Stream<string>

export interface PeerOptions {
  readonly limits?: Partial<H2Limits>
  /** Bytes a call: 0 for all at once. */
  readonly pieces?: number
  /** What the session's user does. */
  readonly events?: Partial<H2Events<string>>
  /** Without the preface, the SETTINGS and their acknowledgement that every connection begins with. */
  readonly bare?: boolean
}

export class H2Peer {
  readonly session: H2Session<string>
  /** What the session reported, in order; pieces of a body joined. */
  readonly log: string[] = []
  /** Streams by id, as they were reported or opened. */
  readonly streams = new Map<number, PeerStream>()
  error: H2Error | undefined
  now = 1000
  /** The transport takes nothing more for now. */
  full = false
  readonly #pieces: number
  #out: Buffer[] = []
  readonly #decoder = new HpackDecoder(4096)

  constructor(role: Role, options: PeerOptions = {}) {
    this.#pieces = options.pieces ?? 0
    const output = {
      write: (bytes: Uint8Array, at: number, end: number): boolean => {
        this.#out.push(Buffer.from(bytes.subarray(at, end)))
        return !this.full
      },
    }
    const create = role === 'server' ? createServerSession<string> : createClientSession<string>
    this.session = create(output, this.#events(options.events ?? {}), { ...defaultH2Limits, ...options.limits })
    if (options.bare === true) return
    this.send(role === 'server' ? preface : Buffer.alloc(0), settings(), settingsAck)
    this.frames()
    this.log.length = 0
  }

  /** Stops at the first error, as a connection would. */
  send(...frames: readonly Buffer[]): this {
    const bytes = Buffer.concat(frames)
    const step = this.#pieces === 0 ? Math.max(1, bytes.length) : this.#pieces
    try {
      for (let at = 0; at < bytes.length && this.error === undefined; at += step) {
        // A copy that is scribbled over: a session that kept a reference would show it.
        const piece = Buffer.from(bytes.subarray(at, at + step))
        this.session.receive(piece, piece.length, this.now)
        piece.fill(0x58)
      }
    } catch (error) {
      if (!(error instanceof H2Error)) throw error
      this.error = error
    }
    return this
  }

  /** Frames written since the last call. */
  frames(): Frame[] {
    const bytes = Buffer.concat(this.#out)
    this.#out = []
    return readFrames(bytes)
  }

  /** The same as words. */
  written(): string[] {
    return this.frames().map(describeFrame)
  }

  get writtenBytes(): number {
    return this.#out.reduce((sum, piece) => sum + piece.length, 0)
  }

  /** The fields of a HEADERS frame; each block once and in order, since there is a table behind it. */
  fieldsOf(frame: Frame): string[] {
    const fields: string[] = []
    this.#decoder.decode(frame.payload, 0, frame.payload.length, { onField: (name, value) => fields.push(name, value) })
    return fields
  }

  /** A stream that has sent its request. */
  request(method = 'GET', end = true): PeerStream {
    const stream = this.session.open('user')!
    stream.sendRequest(method, 'http', 'a', '/', new HeaderList(), end)
    this.streams.set(stream.id, stream)
    return stream
  }

  #events(own: Partial<H2Events<string>>): H2Events<string> {
    const note = (line: string): void => void this.log.push(line)
    return {
      onRequest: (stream, head, end) => {
        this.streams.set(stream.id, stream)
        const { method, scheme, authority, path, protocol, headers, tooLarge } = head
        note(`request ${stream.id} ${[method, scheme, authority, path, protocol].join(' ').trim()} [${headers.flat.join(' ')}]${tooLarge ? ' too large' : ''}${end ? ' end' : ''}`)
        own.onRequest?.(stream, head, end)
      },
      onResponse: (stream, head, end) => {
        note(`response ${stream.id} ${head.status} [${head.headers.flat.join(' ')}]${end ? ' end' : ''}`)
        own.onResponse?.(stream, head, end)
      },
      onData: (stream, bytes, at, end) => {
        const line = `data ${stream.id} `
        const last = this.log.at(-1)
        if (last?.startsWith(line) === true) this.log[this.log.length - 1] = last + bytes.toString('latin1', at, end)
        else note(line + bytes.toString('latin1', at, end))
        own.onData?.(stream, bytes, at, end)
      },
      onEnd: (stream, trailers) => {
        note(`end ${stream.id}${trailers === undefined ? '' : ` [${trailers.flat.join(' ')}]`}`)
        own.onEnd?.(stream, trailers)
      },
      onWritable: (stream) => {
        note(`writable ${stream.id}`)
        own.onWritable?.(stream)
      },
      onReset: (stream, code, local) => {
        note(`reset ${stream.id} ${codes[code] ?? code} ${local ? 'by us' : 'by the peer'}`)
        own.onReset?.(stream, code, local)
      },
      onClosed: (stream) => {
        note(`closed ${stream.id}`)
        own.onClosed?.(stream)
      },
      onGoAway: (last, code, debug) => {
        note(`goaway ${last} ${codes[code] ?? code} ${debug}`.trim())
        own.onGoAway?.(last, code, debug)
      },
      onPong: () => {
        note('pong')
        own.onPong?.()
      },
      onPeerSettings: (max) => {
        note(`settings ${max}`)
        own.onPeerSettings?.(max)
      },
    }
  }
}
