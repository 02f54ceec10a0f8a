// The proxy's stream to the control plane: subscriptions, ACK and NACK, and coming back after every loss. While it is away
// nothing happens to what was accepted. How requests look is left to delta.ts and sotw.ts, the connection to channel.ts.
import { createBackoff } from '../../lib/backoff.ts'
import type { Backoff } from '../../lib/backoff.ts'
import { callAt } from '../../lib/call-at.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe, hasCode } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Node } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { leavingType } from '../../xds/leaving.ts'
import { readinessType } from '../../xds/readiness.ts'
import { canWildcard, pushOrder, typeUrls } from '../../xds/types.ts'
import { expiryOf } from '../identity/expiry.ts'
import type { CertificateSecret, Secrets } from '../identity/secrets.ts'
import type { XdsStream } from '../proxy-parts.ts'
import type { Call } from './call.ts'
import { openChannel } from './channel.ts'
import type { Channel, ChannelLimits } from './channel.ts'
import { deltaProtocol } from './delta.ts'
import type { OnUpdate, XdsProtocol } from './protocol.ts'
import { rpcError } from './rpc-error.ts'
import { sotwProtocol } from './sotw.ts'
import { Subscription } from './subscription.ts'

export interface XdsClientOptions {
  readonly address: Address
  /** Undefined: plaintext, to loopback only. An empty name stands for the one that is dialled. */
  readonly tls: { readonly serverName: string } | undefined
  /** `default` is shown and `ROOTCA` verifies the control plane, as they are when a connection is made. */
  readonly identity: Secrets
  /** Bearer token for every stream; empty for none. */
  readonly bearer?: () => string
  readonly protocol: 'delta' | 'sotw'
  /** Also asks for the names that the workload may look up. */
  readonly names?: boolean
  /** Also asks how the application is to be asked whether it is well. */
  readonly probe?: boolean
  readonly limits?: Partial<ChannelLimits>
  readonly clock?: Clock
  readonly random?: () => number
  readonly log?: (line: string) => void
}

/** Quick at first, for a control plane that restarts; 30 s at most, so that a long absence costs it nothing. */
const firstRetryMs = 100
const maxRetryMs = 30_000

/** A server that has nothing new says nothing: a stream that lasted this long, and longer than a connection may take, is a good one. */
const goodAfterMs = 15_000

/** A connection ends this long before the certificate that it was made with, if there is a newer one. */
const expiryMarginMs = 60_000

/** Connects at once. `onUpdate` is never called inside. */
export function openXdsStream(options: XdsClientOptions, node: Node, onUpdate: OnUpdate): XdsStream {
  return new XdsClient(options, node, onUpdate)
}

/** Of the application; without a problem it is well. */
interface Health {
  readonly problem: string | undefined
}

/** The connection in use, with the certificate that it shows. */
interface Connection {
  readonly channel: Channel
  readonly call: Call
  readonly certificate: CertificateSecret | undefined
  /** When it should have ended; never without a certificate. */
  readonly due: number
}

class XdsClient implements XdsStream {
  readonly #options: XdsClientOptions
  readonly #node: Node
  readonly #onUpdate: OnUpdate
  readonly #clock: Clock
  readonly #protocol: XdsProtocol
  readonly #backoff: Backoff
  readonly #subscriptions: ReadonlyMap<string, Subscription>
  readonly #stopListening: () => void
  #connection: Connection | undefined
  #nodeSent = false
  #answered = false
  #everAnswered = false
  #lastReason = ''
  #cancelRetry: (() => void) | undefined
  #cancelExpiry: () => void = () => {}
  #cancelGood: () => void = () => {}
  #closed = false
  /** What was said last, for the next stream too. */
  #health: Health | undefined
  /** Whoever is at the other end wants to know. */
  #healthAsked = false
  /** It has said that it will end, and says so on the next stream too. */
  #leaving: PromiseWithResolvers<void> | undefined

  constructor(options: XdsClientOptions, node: Node, onUpdate: OnUpdate) {
    this.#options = options
    this.#node = node
    this.#onUpdate = (update) => {
      if (update.typeUrl === readinessType) return this.#askedForHealth()
      if (update.typeUrl !== leavingType) return onUpdate(update)
      this.#leaving?.resolve()
      return undefined
    }
    this.#clock = options.clock ?? systemClock
    this.#protocol = options.protocol === 'delta' ? deltaProtocol : sotwProtocol
    this.#backoff = createBackoff({ firstMs: firstRetryMs, maxMs: maxRetryMs, random: options.random ?? Math.random })
    const types = pushOrder.filter((type) => (type !== 'NDS' || options.names === true) && (type !== 'PCDS' || options.probe === true))
    this.#subscriptions = new Map(types.map((type) => [typeUrls[type], new Subscription(typeUrls[type], canWildcard(type))]))
    this.#stopListening = options.identity.onChange(() => this.#identityChanged())
    this.#connect()
  }

  subscribe(typeUrl: string, names: readonly string[]): void {
    const subscription = this.#subscriptionOf(typeUrl)
    if (this.#closed || subscription.wildcard) return
    const change = subscription.change(names)
    if (change.added.length === 0 && change.removed.length === 0) return
    if (!subscription.asked) this.#askFirst(subscription)
    else this.#connection?.call.send(this.#protocol.changed(subscription, change))
  }

  mention(typeUrl: string, names: readonly string[]): void {
    // Before its first answer, the control plane may not know who speaks.
    if (this.#answered) this.#connection?.call.send(this.#protocol.mention(typeUrl, names))
  }

  reportHealth(problem: string | undefined): void {
    this.#health = { problem }
    this.#sayHealth()
  }

  leave(): Promise<void> {
    if (this.#leaving === undefined) {
      this.#leaving = Promise.withResolvers()
      this.#sayLeaving()
    }
    return this.#leaving.promise
  }

  close(): void {
    this.#closed = true
    this.#stopListening()
    this.#cancelRetry?.()
    this.#disconnect()
  }

  #connect(): void {
    this.#cancelRetry = undefined
    try {
      this.#connection = this.#open()
    } catch (error) {
      return this.#lost(error)
    }
    this.#nodeSent = false
    this.#answered = false
    this.#healthAsked = this.#options.probe === true
    for (const subscription of this.#subscriptions.values()) subscription.newStream()
    for (const subscription of this.#subscriptions.values()) this.#askFirst(subscription)
    this.#sayHealth()
    if (this.#leaving !== undefined) this.#sayLeaving()
    this.#watchExpiry(this.#connection)
    this.#cancelGood = this.#clock.after(goodAfterMs, () => this.#came())
  }

  #open(): Connection {
    const { address, tls, identity, bearer, limits } = this.#options
    const certificate = identity.certificate('default')
    const due = tls === undefined || certificate === undefined ? Infinity : this.#dueOf(certificate)
    const roots = identity.trust('ROOTCA')?.roots ?? ''
    const channel = openChannel({
      address, clock: this.#clock, ...(limits === undefined ? {} : { limits }),
      tls: tls === undefined ? undefined : { roots, serverName: tls.serverName, certificate },
    })
    const token = bearer?.() ?? ''
    const metadata: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` }
    const call = channel.stream(this.#protocol.path, metadata, {
      onMessage: (bytes) => this.#take(call, bytes),
      onEnd: (error) => {
        if (this.#connection?.call === call) this.#lost(error ?? rpcError('rpc/unavailable', 'the control plane ended the stream'))
      },
    })
    return { channel, call, certificate, due }
  }

  /** Who leaves has said all there is to say. */
  #sayHealth(): void {
    if (this.#healthAsked && this.#health !== undefined && this.#leaving === undefined) this.#connection?.call.send(this.#protocol.health(this.#health.problem))
  }

  #askedForHealth(): undefined {
    if (this.#healthAsked) return
    this.#healthAsked = true
    this.#sayHealth()
  }

  #sayLeaving(): void {
    this.#connection?.call.send(this.#protocol.mention(leavingType, []))
  }

  /** The first request on a stream without names would ask for everything: of named types that is not meant. */
  #askFirst(subscription: Subscription): void {
    if (this.#connection === undefined || (!subscription.wildcard && subscription.wanted.size === 0)) return
    subscription.asked = true
    this.#connection.call.send(this.#protocol.first(subscription, this.#nodeSent ? undefined : this.#node))
    this.#nodeSent = true
  }

  #take(call: Call, bytes: Uint8Array): void {
    if (this.#connection?.call !== call) return
    const answer = this.#read(call, bytes)
    if (answer === undefined || this.#connection?.call !== call) return
    this.#came()
    call.send(answer)
  }

  /** What cannot be read ends the stream: the next one may be better. */
  #read(call: Call, bytes: Uint8Array): Uint8Array | undefined {
    try {
      return this.#protocol.take(bytes, (typeUrl) => this.#subscriptionOf(typeUrl), this.#onUpdate)
    } catch (error) {
      call.fail(rpcError('rpc/internal', 'a response cannot be read', error))
      return undefined
    }
  }

  /** Types that nobody knows get a subscription that is not kept: their resources are rejected by whoever takes them. */
  #subscriptionOf(typeUrl: string): Subscription {
    return this.#subscriptions.get(typeUrl) ?? new Subscription(typeUrl, true)
  }

  #came(): void {
    if (this.#answered) return
    this.#answered = true
    this.#everAnswered = true
    this.#backoff.reset()
    if (this.#lastReason !== '') this.#log('is back')
    this.#lastReason = ''
  }

  #lost(reason: unknown): void {
    this.#disconnect()
    if (this.#closed) return
    // Servers send clients away now and then; it is worth a word when the way back is not found at once.
    if (!this.#answered || !hasCode(reason, 'rpc/unavailable')) this.#sayAway(describe(reason))
    this.#answered = false
    this.#cancelRetry = this.#clock.after(this.#backoff.next(), () => this.#connect())
  }

  #sayAway(reason: string): void {
    const consequence = this.#everAnswered ? 'is away, what was accepted goes on serving' : "has not answered yet, and nothing serves before it does (is it there, and is --discovery-address right?)"
    if (reason !== this.#lastReason) this.#log(`${consequence}: ${reason}`)
    this.#lastReason = reason
  }

  #disconnect(): void {
    this.#cancelExpiry()
    this.#cancelGood()
    const connection = this.#connection
    this.#connection = undefined
    for (const subscription of this.#subscriptions.values()) subscription.newStream()
    connection?.call.cancel()
    connection?.channel.close()
  }

  /** A rotation changes nothing for a connection until its own certificate is nearly over. */
  #dueOf(certificate: CertificateSecret): number {
    const { notAfter } = expiryOf(certificate)
    return notAfter - Math.min(expiryMarginMs, Math.max(0, notAfter - this.#clock.now()) / 10)
  }

  #watchExpiry({ due }: Connection): void {
    if (due !== Infinity) this.#cancelExpiry = callAt(this.#clock, due, () => this.#renew())
  }

  /** Reconnects with the certificate of today; without a newer one there is nothing to be won. */
  #renew(): void {
    const now = this.#options.identity.certificate('default')
    if (this.#connection === undefined || now?.chain === this.#connection.certificate?.chain) return
    this.#disconnect()
    this.#connect()
  }

  #identityChanged(): void {
    if (this.#cancelRetry !== undefined) this.#retryNow()
    else if (this.#connection !== undefined && this.#clock.now() >= this.#connection.due) this.#renew()
  }

  /** With the old certificate it failed; with the new one it may not. */
  #retryNow(): void {
    this.#cancelRetry?.()
    this.#connect()
  }

  #log(what: string): void {
    this.#options.log?.(`control plane at ${formatAddress(this.#options.address)} ${what}`)
  }
}
