// Writes the responses of one HTTP/1 connection: frames each as its request allows, and knows when the connection has to
// end after it. The transport gathers what is written in one turn, so that a head and a small body leave together.
import { chunkEnd, chunkStart, continueHead, lastChunk, noBody, responseHead } from '../../codec/h1/writer.ts'
import type { HeaderList } from '../../codec/header-list.ts'
import type { Transport } from '../../net/transport.ts'

/** What of a request decides how it is answered. */
export interface Answered {
  readonly method: string
  readonly minor: number
  readonly keepAlive: boolean
}

/** What could not be read is answered as a GET in HTTP/1.1 would be, and then the connection ends. */
export const unreadable: Answered = { method: 'GET', minor: 1, keepAlive: false }

export class ResponseWriter {
  readonly #transport: Transport
  /** After the response in progress the connection ends. Once set it stays. */
  closes = false
  #method = 'GET'
  #minor = 1
  #chunked = false
  #untilClose = false

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** A client can tell a response that stops here from one that is complete. */
  get cutShows(): boolean {
    return !this.#untilClose
  }

  begin({ method, minor, keepAlive }: Answered): void {
    this.#method = method
    this.#minor = minor
    this.#chunked = this.#untilClose = false
    if (!keepAlive) this.closes = true
  }

  /** HTTP/1.0 knows none. */
  informational(status: number, headers: HeaderList): void {
    if (this.#minor === 1) this.#transport.writeLatin1(responseHead(status, '', headers, noBody))
  }

  continue(): void {
    this.#transport.writeLatin1(continueHead)
  }

  /** `bodyLength` as in the upstream contract: -1 not known, 0 none. */
  head(status: number, headers: HeaderList, bodyLength: number): void {
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304
    if (hasBody && bodyLength === -1) this.#frameUnknown()
    const length = hasBody ? (this.#untilClose ? noBody : bodyLength) : this.#lengthWithoutBody(headers, bodyLength)
    const persistence = this.closes ? 'close' : this.#minor === 0 ? 'keep-alive' : 'default'
    this.#transport.writeLatin1(responseHead(status, '', headers, length, persistence))
  }

  /** What follows is not HTTP: a client cannot tell where it should have ended. */
  upgrade(headers: HeaderList, to: string): void {
    headers.add('connection', 'upgrade')
    headers.add('upgrade', to)
    this.#untilClose = true
    this.#transport.writeLatin1(responseHead(101, '', headers, noBody))
  }

  /** HTTP/1.0 knows no chunks: there the end of the connection is the end of the body. */
  #frameUnknown(): void {
    this.#chunked = this.#minor === 1
    this.#untilClose = !this.#chunked
    if (this.#untilClose) this.closes = true
  }

  /** HEAD may say how long the body would be. */
  #lengthWithoutBody(headers: HeaderList, bodyLength: number): number {
    return this.#method === 'HEAD' && bodyLength > 0 && !headers.has('content-length') ? bodyLength : noBody
  }

  /** False: the client cannot keep up. */
  data(bytes: Uint8Array, at: number, end: number): boolean {
    const transport = this.#transport
    if (!this.#chunked) return transport.write(bytes, at, end)
    if (end === at) return true
    transport.writeLatin1(chunkStart(end - at))
    transport.write(bytes, at, end)
    return transport.writeLatin1(chunkEnd)
  }

  end(trailers: HeaderList | undefined): void {
    if (this.#chunked) this.#transport.writeLatin1(lastChunk(trailers))
    this.#chunked = false
  }
}
