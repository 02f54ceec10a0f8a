// What the control plane sent, as it was sent, for people to look at: the accepted version of each resource with its
// time, and the last one that was rejected with the reason.
import type { Any } from '@bufbuild/protobuf/wkt'

export interface AcceptedResource {
  readonly name: string
  readonly version: string
  readonly any: Any
  /** Milliseconds since the epoch. */
  readonly lastUpdated: number
}

export interface RejectedResource {
  readonly name: string
  readonly version: string
  readonly details: string
  readonly lastAttempt: number
}

export interface SentResource {
  readonly name: string
  readonly version: string
  readonly any: Any
}

/** The resources of one type. */
export class AcceptedResources {
  readonly accepted = new Map<string, AcceptedResource>()
  readonly rejected = new Map<string, RejectedResource>()
  /** Of the last response that had no rejection. */
  version = ''

  record(sent: readonly SentResource[], removed: readonly string[], rejections: ReadonlyMap<string, string>, version: string, now: number): void {
    for (const name of removed) {
      this.accepted.delete(name)
      this.rejected.delete(name)
    }
    for (const { name, version: resourceVersion, any } of sent) {
      const details = rejections.get(name)
      if (details === undefined) {
        this.accepted.set(name, { name, version: resourceVersion, any, lastUpdated: now })
        this.rejected.delete(name)
      } else {
        this.rejected.set(name, { name, version: resourceVersion, details, lastAttempt: now })
      }
    }
    if (rejections.size === 0) this.version = version
  }
}

/** Short names of the types, in the order in which they are shown. */
export const resourceTypes = {
  clusters: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoints: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listeners: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  routes: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  secrets: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
} as const

export type ResourceType = keyof typeof resourceTypes
export type AcceptedByType = Readonly<Record<ResourceType, AcceptedResources>>

export function nothingAccepted(): AcceptedByType {
  return {
    clusters: new AcceptedResources(),
    endpoints: new AcceptedResources(),
    listeners: new AcceptedResources(),
    routes: new AcceptedResources(),
    secrets: new AcceptedResources(),
  }
}
