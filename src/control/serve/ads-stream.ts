// One ADS stream: a proxy's subscriptions, and when what is sent. One response of a type is under way at a time; a push
// that comes meanwhile is found in the next one, since what is sent is what differs from what the proxy holds.
import { MeshError, describe, spawn } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { ProxyEvent, WriteAudit } from '../../telemetry/audit/events.ts'
import { leavingType } from '../../xds/leaving.ts'
import { readinessMetadata, readinessType } from '../../xds/readiness.ts'
import { missingKeysType } from '../../xds/missing-keys.ts'
import { createNonces } from '../../xds/nonce.ts'
import { TooManyNames } from '../../xds/subscription.ts'
import type { Answer, Response } from '../../xds/subscription.ts'
import { healthTypeUrl, typeNameOf, typeUrls } from '../../xds/types.ts'
import type { TypeName } from '../../xds/types.ts'
import { Channels } from './ads-channels.ts'
import type { Channel, Step } from './ads-channels.ts'
import { requireOwnNode } from './ads-identity.ts'
import type { AdsRequest, Variant } from './ads-variant.ts'
import type { ConnectingNode, ProxySession, Push, ResourceSource, ServedResource } from './resource-source.ts'
import type { Registered } from '../registration/registrations.ts'
import { GrpcError, grpcStatus } from './rpc.ts'
import type { CallHandler, Caller, ServerCall } from './rpc.ts'
import type { Turns } from './turns.ts'

/** Of a client's error, what goes into log and status. */
const maxErrorLength = 2000
/** Of types that we do not serve, how many are said in the log. */
const maxUnknownTypes = 8
/** Of sources of keys, how many a request may name. */
const maxMissingKeys = 100

const nothing: Response<ServedResource> = { resources: [], removed: [], changed: [] }

/** Makes a proxy that asks for it a workload of the mesh. Throws a GrpcError, or a MeshError for a node that cannot be read. */
export type Register = (caller: Caller, node: ConnectingNode) => Registered | undefined

export interface AdsReports {
  readonly log: (line: string) => void
  readonly audit: WriteAudit
  readonly register: Register
  /** A proxy was shown tokens of keys that these sources of keys should have. */
  readonly missingKeys: (sources: readonly string[]) => void
  readonly presence: Presence
}

/** Who is there to be sent requests. */
export interface Presence {
  joined(node: ConnectingNode): void
  /** How its application is; undefined: it takes requests. */
  report(node: ConnectingNode, problem: string | undefined): void
  /** It is about to end. Resolves when every proxy knows, or when that takes too long. */
  leave(node: ConnectingNode): Promise<void>
}

export function proxyEvent(event: ProxyEvent['event'], caller: Caller, node: string, reason = ''): ProxyEvent {
  const client = { address: formatAddress(caller.remoteAddress), identity: caller.uris.join(',') }
  return { event, client, node, ...(reason === '' ? {} : { reason }) }
}

export class AdsStream<Request> implements CallHandler {
  readonly #call: ServerCall
  readonly #variant: Variant<Request>
  readonly #source: ResourceSource
  readonly #turns: Turns
  readonly #log: (line: string) => void
  readonly #audit: WriteAudit
  readonly #register: Register
  readonly #missingKeys: AdsReports['missingKeys']
  readonly #presence: Presence
  readonly #channels: Channels<Request>
  readonly #nextNonce = createNonces()
  readonly #unknownTypes = new Set<string>()
  #session: ProxySession | undefined
  #node: ConnectingNode | undefined
  #leaves = false
  #registered: Registered | undefined
  #stopListening: (() => void) | undefined
  #pushedGeneration = -1
  #pumping = false
  #closed = false

  constructor(call: ServerCall, variant: Variant<Request>, source: ResourceSource, turns: Turns, { log, audit, register, missingKeys, presence }: AdsReports) {
    this.#call = call
    this.#variant = variant
    this.#source = source
    this.#turns = turns
    this.#log = log
    this.#audit = audit
    this.#register = register
    this.#missingKeys = missingKeys
    this.#presence = presence
    this.#channels = new Channels(variant)
  }

  onMessage(bytes: Uint8Array): void {
    const { node, typeUrl, names, request, error } = this.#decode(bytes)
    const session = this.#session ?? this.#connect(node)
    if (typeUrl === healthTypeUrl) return this.#report(error)
    if (typeUrl === readinessType) return undefined // it has heard
    if (typeUrl === leavingType) return this.#leave(session)
    if (typeUrl === missingKeysType) return this.#missingKeys(names.slice(0, maxMissingKeys))
    const channel = this.#channelOf(typeUrl)
    if (channel === undefined) return
    this.#record(session, channel.type, this.#answer(channel, request))
    if (channel.subscription.due) this.#channels.asked(channel.type)
    this.#pump(session)
  }

  onEnd(): void {
    this.#call.end()
  }

  onClose(): void {
    this.#closed = true
    this.#stopListening?.()
    this.#registered?.leave()
    if (this.#session === undefined) return
    this.#session.close()
    this.#log(`ADS: ${this.#session.node.id} left`)
    this.#audit(proxyEvent('proxy-left', this.#call.caller, this.#session.node.id))
  }

  #decode(bytes: Uint8Array): AdsRequest<Request> {
    try {
      return this.#variant.decode(bytes)
    } catch (error) {
      throw new GrpcError(grpcStatus.invalidArgument, `not a discovery request: ${describe(error)}`)
    }
  }

  #connect(node: ConnectingNode | undefined): ProxySession {
    if (node === undefined || node.id === '') throw new GrpcError(grpcStatus.invalidArgument, 'the first request of a stream must carry node.id')
    const session = this.#sessionOf(node)
    this.#session = session
    this.#node = node
    this.#stopListening = this.#source.onPush((push) => this.#onPush(session, push))
    this.#log(`ADS: ${node.id} connected (${this.#variant.label})`)
    this.#audit(proxyEvent('proxy-joined', this.#call.caller, node.id))
    if (node.metadata?.[readinessMetadata] === 'true') spawn('asking for readiness', this.#sayNothing(readinessType, session.generation))
    return session
  }

  #sessionOf(node: ConnectingNode): ProxySession {
    try {
      requireOwnNode(this.#call.caller, node)
      this.#registered = this.#register(this.#call.caller, node)
      this.#presence.joined(node)
      return this.#source.connect(node)
    } catch (error) {
      this.#audit(proxyEvent('proxy-refused', this.#call.caller, node.id, describe(error)))
      throw error instanceof MeshError ? new GrpcError(grpcStatus.invalidArgument, describe(error)) : error
    }
  }

  #report(problem: string | undefined): void {
    if (this.#leaves) return
    this.#registered?.report(problem)
    this.#presence.report(this.#node!, problem)
  }

  /** A response whose type alone says something. */
  async #sayNothing(typeUrl: string, generation: number): Promise<void> {
    if (!this.#closed) await this.#call.send(this.#variant.encode({ typeUrl, response: nothing, nonce: this.#nextNonce(), generation }))
  }

  /** Its acknowledgement of the answer comes as a request, too. */
  #leave({ generation }: ProxySession): void {
    if (this.#leaves) return
    this.#leaves = true
    this.#log(`ADS: ${this.#node!.id} is about to end`)
    spawn('a proxy that leaves', this.#presence.leave(this.#node!).then(() => this.#sayNothing(leavingType, generation)))
  }

  /** Types that we do not serve are not answered, as by Istio: clients do without. */
  #channelOf(typeUrl: string): Channel<Request> | undefined {
    const type = typeNameOf(typeUrl)
    if (type !== undefined) return this.#channels.of(type)
    if (this.#unknownTypes.size < maxUnknownTypes && !this.#unknownTypes.has(typeUrl)) {
      this.#unknownTypes.add(typeUrl)
      this.#log(`ADS: ${this.#session?.node.id ?? ''} asks for ${JSON.stringify(typeUrl.slice(0, 200))}, which is not served`)
    }
    return undefined
  }

  #answer({ subscription }: Channel<Request>, request: Request): Answer {
    try {
      return subscription.request(request)
    } catch (error) {
      throw error instanceof TooManyNames ? new GrpcError(grpcStatus.resourceExhausted, error.message) : error
    }
  }

  #record({ record, node }: ProxySession, type: TypeName, answer: Answer): void {
    if (answer.kind === 'acked') record.acked(type)
    if (answer.kind !== 'nacked') return
    const error = answer.error.slice(0, maxErrorLength)
    record.nacked(type, error)
    this.#log(`ADS: ${node.id} refused ${type}: ${error}`)
  }

  #onPush(session: ProxySession, push: Push): void {
    for (const { type } of this.#channels.watched()) {
      if (push.affects(typeUrls[type], session)) this.#channels.changed(type)
    }
    this.#pump(session)
  }

  /** Sends what is due until nothing is, or until an answer must come first. */
  #pump(session: ProxySession): void {
    if (this.#pumping || this.#closed) return
    this.#pumping = true
    spawn('ADS stream', this.#sendAll(session), (_, error) => this.#fail(error))
  }

  async #sendAll(session: ProxySession): Promise<void> {
    let endTurn = (): void => undefined
    // Not in a function of its own: the flag must fall as soon as nothing more was found to send.
    try {
      if (this.#channels.next() !== undefined) endTurn = await this.#turns.take()
      for (let step = this.#channels.next(); step !== undefined; step = this.#channels.next()) {
        // Its answer is waited for; everything after it in the order waits, too.
        if (this.#closed || step.channel.subscription.inFlight) return
        const response = this.#take(session, step)
        if (response !== undefined) await this.#send(session, step.channel, response)
      }
      this.#pushed(session)
    } finally {
      this.#pumping = false
      endTurn()
    }
  }

  #take(session: ProxySession, step: Step<Request>): Response<ServedResource> | undefined {
    this.#channels.begin(step)
    const { channel, phase } = step
    return channel.subscription.next(this.#current(session, channel.type), phase)
  }

  #pushed(session: ProxySession): void {
    if (this.#pushedGeneration === session.generation) return
    this.#pushedGeneration = session.generation
    session.record.pushed(session.generation)
  }

  async #send(session: ProxySession, channel: Channel<Request>, response: Response<ServedResource>): Promise<void> {
    const nonce = this.#nextNonce()
    const { generation } = session
    const parts = this.#variant.encode({ typeUrl: typeUrls[channel.type], response, nonce, generation })
    channel.subscription.sent(response, nonce)
    session.record.sent(channel.type, generation)
    if (channel.type === 'CDS') this.#endpointsAgain(response.changed)
    await this.#call.send(parts)
  }

  /** Envoy warms a changed cluster and waits for its endpoints, whether they changed or not. */
  #endpointsAgain(clusters: readonly string[]): void {
    const { subscription } = this.#channels.of('EDS')
    subscription.resend(clusters)
    if (subscription.watched && clusters.length > 0) this.#channels.asked('EDS')
  }

  /** Private keys do not travel without TLS, also not on loopback. */
  #current(session: ProxySession, type: TypeName) {
    const typeUrl = typeUrls[type]
    const hidden = type === 'SDS' && !this.#call.caller.encrypted
    return {
      lists: () => (hidden ? [] : session.lists(typeUrl)),
      get: (name: string) => (hidden ? undefined : session.get(typeUrl, name)),
    }
  }

  #fail(error: unknown): void {
    this.#log(`ADS: ${this.#session?.node.id ?? ''} failed: ${error instanceof Error ? error.stack ?? describe(error) : describe(error)}`)
    this.#call.end(new GrpcError(grpcStatus.internal, 'internal error; the control plane\'s log says more'))
  }
}
