// What the connections of all protocols of HTTP have in common: who is at the other end, their age, when they have been
// idle or served for long enough, and how they end.
import type { Transport } from '../../net/transport.ts'
import { clientCertElement } from './client-cert-header.ts'
import { ConnectionFacts } from './connection-facts.ts'
import type { Arrival } from './connection-facts.ts'
import type { Timed } from './deadlines.ts'
import type { HeaderSettings } from './request-headers.ts'
import type { HttpRuntime } from './runtime.ts'
import type { HttpStream } from './stream.ts'

/** A connection as the service that owns it sees it. */
export interface ServedConnection extends Timed {
  /** Ends when what it carries is done; idle ones soon. */
  drain(): void
  /** Ends it at once. */
  close(): void
  /** Every request in progress. */
  eachStream(visit: (stream: HttpStream) => void): void
}

/** What the service does about its connections. */
export interface ConnectionOwner {
  readonly runtime: HttpRuntime
  readonly draining: boolean
  onClosed(connection: ServedConnection): void
  /** One has found out what it speaks. */
  onReplaced(connection: ServedConnection, by: ServedConnection): void
}

/** How long a client may take nothing of a response that is complete on our side, before it counts as gone. */
const stuckMs = 60_000

/** A client between two requests may have sent the next one already: to end its connection then would fail that request. */
export const drainIdleMs = 1_000

export class ConnectionLife {
  readonly runtime: HttpRuntime
  readonly transport: Transport
  readonly facts: ConnectionFacts
  readonly headerSettings: HeaderSettings
  readonly openedAt: number
  requests = 0
  /** Since when it has been doing what it does now. */
  since: number
  /** Our last byte has been written; what the client still sends is not looked at. */
  closing = false
  /** Not yet taken by the kernel, at the last tick while closing. */
  #queued = 0

  constructor(runtime: HttpRuntime, transport: Transport, arrival: Arrival) {
    this.runtime = runtime
    this.transport = transport
    this.facts = new ConnectionFacts(transport, arrival)
    this.headerSettings = {
      config: runtime.config, clientCert: clientCertElement(transport.tls, runtime.config), newRequestId: runtime.newRequestId,
    }
    this.openedAt = this.since = this.now()
  }

  now(): number {
    return this.runtime.deps.clock.now()
  }

  touch(): void {
    this.since = this.now()
  }

  /** It has served long enough, or often enough. */
  get wornOut(): boolean {
    const { config } = this.runtime
    if (config.maxRequestsPerConnection > 0 && this.requests >= config.maxRequestsPerConnection) return true
    return config.maxConnectionDurationMs > 0 && this.now() - this.openedAt >= config.maxConnectionDurationMs
  }

  /** Idle since `since`: whether that is too long. */
  isIdleTooLong(now: number, draining: boolean): boolean {
    const elapsed = now - this.since
    const { idleTimeoutMs } = this.runtime.config
    return (idleTimeoutMs > 0 && elapsed >= idleTimeoutMs) || (draining && elapsed >= drainIdleMs)
  }

  /** FIN after what is queued. The client gets a moment to read it before the rest of what it sends is answered by RST. */
  end(): void {
    if (this.closing) return
    this.closing = true
    this.touch()
    this.#queued = this.transport.writableLength
    this.transport.end()
    this.transport.resume()
  }

  /** While closing. A slow client gets all of its last response as long as it takes some of it. */
  checkClosing(now: number): void {
    const queued = this.transport.writableLength
    if (queued !== this.#queued) this.since = now
    this.#queued = queued
    if (now - this.since >= (queued > 0 ? stuckMs : this.runtime.config.delayedCloseMs)) this.transport.destroy()
  }
}
