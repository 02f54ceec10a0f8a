// Where nothing says what protocol a port carries, the first bytes do, and they are the client's: a server that speaks
// first (MySQL, SMTP, NATS) and a client that waits for it would wait for ever, as they do with Envoy. So a client that
// says nothing is not only waited for: the server is asked as well, once for each destination.
import type { Clock } from '../../lib/clock.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Inbound } from '../../net/listen.ts'
import type { Arrival, ChainService } from './connection.ts'

/** A client that speaks first has done so by then, most often with its SYN's acknowledgement. */
const politeMs = 100
/** The same, where the server is known to speak first. */
const knownMs = 5
/** Then it is asked anew: a port may get another server. */
const relearnMs = 600_000
/** Destinations. The oldest is forgotten first. */
const maxKnown = 1_000

export type Speaker = 'server' | 'client'

export interface FirstLook {
  readonly inbound: Inbound
  readonly arrival: Arrival
  /** What the decision takes. */
  readonly enough: (seen: Buffer) => boolean
  readonly maxBytes: number
  /** How long a client may stay silent whose server is silent, too. */
  readonly timeoutMs: number
  /** The service of a connection that asks for nothing in particular. */
  quiet(): ChainService | undefined
}

export class ServerFirst {
  readonly #clock: Clock
  readonly #onLearned: (destination: Address) => void
  readonly #known = new Map<string, { readonly speaker: Speaker; readonly until: number }>()

  /** `onLearned`: of each destination whose server speaks first. */
  constructor(clock: Clock, onLearned: (destination: Address) => void) {
    this.#clock = clock
    this.#onLearned = onLearned
  }

  /** The client's first bytes; empty when its server speaks first, undefined when neither said anything for too long. */
  async look(first: FirstLook): Promise<Buffer | undefined> {
    const { inbound, enough, maxBytes, timeoutMs, arrival } = first
    const speaker = this.#speaker(arrival.originalDestination)
    if (speaker === 'server') return (await inbound.peek(enough, { maxBytes, timeoutMs: knownMs })) ?? nothing
    if (speaker === 'client') return inbound.peek(enough, { maxBytes, timeoutMs })
    return (await inbound.peek(enough, { maxBytes, timeoutMs: politeMs })) ?? this.#race(first)
  }

  async #race({ inbound, enough, maxBytes, timeoutMs, arrival, quiet }: FirstLook): Promise<Buffer | undefined> {
    const service = quiet()
    if (service?.askForGreeting === undefined) return inbound.peek(enough, { maxBytes, timeoutMs })
    const greeted = new AbortController()
    const giveUp = service.askForGreeting({ inbound, arrival }, (greeting) => {
      if (greeting !== 'unknown') this.#learn(arrival.originalDestination, greeting === 'greets' ? 'server' : 'client')
      if (greeting === 'greets') greeted.abort()
    })
    try {
      const seen = await inbound.peek(enough, { maxBytes, timeoutMs, signal: greeted.signal })
      return greeted.signal.aborted ? (seen ?? nothing) : seen
    } finally {
      giveUp()
    }
  }

  #speaker(destination: Address): Speaker | undefined {
    const known = this.#known.get(formatAddress(destination))
    return known !== undefined && known.until > this.#clock.now() ? known.speaker : undefined
  }

  #learn(destination: Address, speaker: Speaker): void {
    const key = formatAddress(destination)
    const before = this.#known.get(key)?.speaker
    this.#known.delete(key)
    this.#known.set(key, { speaker, until: this.#clock.now() + relearnMs })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= maxKnown) break
      this.#known.delete(oldest)
    }
    if (speaker === 'server' && before !== 'server') this.#onLearned(destination)
  }
}

const nothing = Buffer.alloc(0)
