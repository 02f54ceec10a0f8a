// The two ways of asking for resources, incremental (delta.ts) and state of the world (sotw.ts), as the client sees them.
import { create } from '@bufbuild/protobuf'
import { describe } from '../../lib/errors.ts'
import type { Node } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.ts'
import type { Status } from '../../proto/gen/google/rpc/status_pb.ts'
import type { XdsUpdate } from '../main-updates.ts'
import type { Subscription, SubscriptionChange } from './subscription.ts'

/** Answers with the text of a NACK, or undefined. */
export type OnUpdate = (update: XdsUpdate) => string | undefined

export interface XdsProtocol {
  /** Path of the gRPC method. */
  readonly path: string
  /** The first request of a type on a stream. `node` is there for the first of all. */
  first(subscription: Subscription, node: Node | undefined): Uint8Array
  /** The names changed, and the type was asked for on this stream. */
  changed(subscription: Subscription, change: SubscriptionChange): Uint8Array
  /** Of a type that is no resource's. */
  mention(typeUrl: string, names: readonly string[]): Uint8Array
  /** How the application is: well, or a sentence. Not answered. */
  health(problem: string | undefined): Uint8Array
  /** Reads a response and gives it to `onUpdate`; the result is the ACK or NACK. Throws for what is no response. */
  take(bytes: Uint8Array, subscriptionOf: (typeUrl: string) => Subscription, onUpdate: OnUpdate): Uint8Array
}

/** Longer texts are cut: they are for people, who have the whole of it in the proxy's log. */
const maxDetailLength = 4096

/** INVALID_ARGUMENT, as Envoy sends it. */
export function rejection(text: string): Status {
  return create(StatusSchema, { code: 3, message: text.slice(0, maxDetailLength) })
}

/** As Istio's agents say that their application is not well. UNKNOWN: it is not the control plane's fault. */
export function unwell(problem: string): Status {
  return create(StatusSchema, { code: 2, message: problem.slice(0, maxDetailLength) })
}

/** What goes wrong in taking an update is a rejection too: the stream and what serves go on. */
export function offer(update: XdsUpdate, onUpdate: OnUpdate): string | undefined {
  try {
    return onUpdate(update)
  } catch (error) {
    return `cannot be taken: ${describe(error)}`
  }
}
