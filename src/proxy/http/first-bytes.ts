// A connection that has not said yet which HTTP it speaks: its first bytes do (`codec_type` AUTO). HTTP/2 begins with a
// preface that is no request of HTTP/1.
import { startsPreface } from '../../codec/http-sniff.ts'
import type { TransportHandler } from '../../net/transport.ts'
import type { ConnectionLife, ConnectionOwner, ServedConnection } from './connection-life.ts'
import { drainIdleMs } from './connection-life.ts'
import { Http1Connection } from './h1-connection.ts'
import { Http2Connection } from './h2-connection.ts'

export class FirstBytes implements TransportHandler, ServedConnection {
  readonly #owner: ConnectionOwner
  readonly #life: ConnectionLife
  /** The beginning of a preface, perhaps. */
  #seen: Buffer | undefined = undefined
  listIndex = -1

  constructor(owner: ConnectionOwner, life: ConnectionLife) {
    this.#owner = owner
    this.#life = life
    life.transport.handler = this
    life.transport.resume()
  }

  drain(): void {
    if (this.#seen === undefined && this.#life.now() - this.#life.since >= drainIdleMs) this.#life.end()
  }

  close(): void {
    this.#life.transport.destroy()
  }

  eachStream(): void {}

  onData(bytes: Buffer, length: number): void {
    if (this.#life.closing) return
    if (this.#seen === undefined) this.#life.touch()
    const seen = this.#seen === undefined ? bytes.subarray(0, length) : Buffer.concat([this.#seen, bytes.subarray(0, length)])
    const said = startsPreface(seen)
    if (said === 'incomplete') this.#seen = Buffer.from(seen)
    else this.#become(said === 'h2c', seen)
  }

  onDrain(): void {}

  onEnd(): void {
    this.#life.end()
  }

  onClose(): void {
    this.#life.closing = true
    this.#owner.onClosed(this)
  }

  onTick(now: number): void {
    const { headTimeoutMs } = this.#life.runtime.config
    if (this.#life.closing) return this.#life.checkClosing(now)
    if (this.#seen === undefined ? this.#life.isIdleTooLong(now, this.#owner.draining) : headTimeoutMs > 0 && now - this.#life.since >= headTimeoutMs) this.#life.end()
  }

  /** The first bytes are the new one's, in the same call. */
  #become(speaksHttp2: boolean, seen: Buffer): void {
    const connection = speaksHttp2 ? new Http2Connection(this.#owner, this.#life) : new Http1Connection(this.#owner, this.#life)
    this.#owner.onReplaced(this, connection)
    connection.onData(seen, seen.length)
  }
}
