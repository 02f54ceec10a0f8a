// A server of HTTP/2 whose frames a test writes by hand, on a real socket: what our upstream side meets where the other side
// breaks the rules. It reads the client's frames, and answers as it is told.
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Address } from '../../src/model/address.ts'
import { preface, readFrames, settings, settingsAck } from './h2-frames.ts'
import type { Frame } from './h2-frames.ts'
import { RawConnection } from './raw-peer.ts'

const HEADERS = 1

/** Bytes to answer a request with; `number` of this server, from 1. */
export type FramesFor = (request: Frame, number: number, connection: RawConnection) => readonly Buffer[]

export class RawH2Server implements AsyncDisposable {
  readonly connections: RawConnection[] = []
  requests = 0
  readonly #server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#accept(new RawConnection(socket)))
  readonly #answer: FramesFor
  readonly #greeting: readonly Buffer[]

  constructor(answer: FramesFor, greeting: readonly Buffer[]) {
    this.#answer = answer
    this.#greeting = greeting
  }

  static async start(answer: FramesFor, greeting: readonly Buffer[] = [settings(), settingsAck]): Promise<RawH2Server> {
    const server = new RawH2Server(answer, greeting)
    await once(server.#server.listen(0, '127.0.0.1'), 'listening')
    return server
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  /** What the client has sent on its connection, from 1 on, without the preface. */
  framesOf(connection: number): Frame[] {
    return wholeFrames(this.connections[connection - 1]!)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(connection: RawConnection): void {
    this.connections.push(connection)
    for (const frame of this.#greeting) connection.send(frame)
    let seen = 0
    connection.socket.on('data', () => {
      const heads = wholeFrames(connection).filter(({ type }) => type === HEADERS)
      for (; seen < heads.length; seen++) for (const frame of this.#answer(heads[seen]!, ++this.requests, connection)) connection.send(frame)
    })
    connection.socket.on('end', () => connection.socket.end())
  }
}

/** The last frame may not be here to its end yet. */
function wholeFrames({ pieces }: RawConnection): Frame[] {
  const bytes = Buffer.concat(pieces)
  let end = preface.length
  while (end + 9 <= bytes.length && end + 9 + bytes.readUIntBE(end, 3) <= bytes.length) end += 9 + bytes.readUIntBE(end, 3)
  return bytes.length < preface.length ? [] : readFrames(bytes.subarray(0, end))
}
