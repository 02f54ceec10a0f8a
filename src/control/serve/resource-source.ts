// What the ADS server asks of the control plane: the resources of one connected proxy, a word when a new push may have
// changed them, and somebody to tell what the proxy took. How resources come about is not its business.
import type { TypeName } from '../../xds/types.ts'

/** One resource, encoded once and shared by all proxies that get the same: the object is the cache key. */
export interface ServedResource {
  readonly name: string
  readonly typeUrl: string
  /** The message, encoded. */
  readonly bytes: Uint8Array
  /** Equal versions are equal resources, also after a restart of the control plane. */
  readonly version: string
}

/** Takes down what was sent to one proxy and what came back. */
export interface DeliveryRecord {
  sent(type: TypeName, generation: number): void
  acked(type: TypeName): void
  nacked(type: TypeName, error: string): void
  /** All that a push has for this proxy has been sent, possibly nothing. */
  pushed(generation: number): void
}

/** One connected proxy's window on the newest push. */
export interface ProxySession {
  readonly node: { readonly id: string; readonly namespace: string; readonly serviceAccount: string }
  readonly record: DeliveryRecord
  /** Of the newest push. */
  readonly generation: number
  /** All resources of a type that are for this proxy, in lists that are the same objects until something in them changes. */
  lists(typeUrl: string): readonly (readonly ServedResource[])[]
  get(typeUrl: string, name: string): ServedResource | undefined
  close(): void
}

/** What is known of a connecting proxy: its xDS node. */
export interface ConnectingNode {
  readonly id: string
  readonly metadata?: { [key: string]: JsonValue } | undefined
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly subZone?: string } | undefined
}

type JsonValue = number | string | boolean | null | { [key: string]: JsonValue } | JsonValue[]

/** A new push is in force. */
export interface Push {
  readonly generation: number
  /** Whether resources of a type may differ from the push before; saying yes too often costs time, not truth. */
  affects(typeUrl: string, proxy: ProxySession): boolean
}

export interface ResourceSource {
  /** False until there is something to serve: streams are refused as Unavailable. */
  readonly ready: boolean
  /** Throws a MeshError for a node that cannot be read: the stream ends with InvalidArgument. */
  connect(node: ConnectingNode): ProxySession
  /** The result ends it. */
  onPush(listener: (push: Push) => void): () => void
}
