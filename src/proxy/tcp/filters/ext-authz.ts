// envoy.filters.network.ext_authz (security spec 2.7): somebody else decides about a connection of bytes, over gRPC, by what is
// known of it before its first byte. Whoever cannot be asked has not allowed it, unless the configuration says otherwise.
import type { Clock } from '../../../lib/clock.ts'
import type { ExtAuthz } from '../../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts'
import { valueAt } from '../../../security/rbac/expression.ts'
import { connectionProvider } from '../../http/ext-authz/grpc-check.ts'
import { badConfig } from '../../http/router/problem.ts'
import { askSide } from '../../http/side-request.ts'
import type { Transport } from '../../../net/transport.ts'
import type { Arrived } from '../../listen/connection.ts'
import { valueTest } from '../../rbac/value.ts'
import type { ClusterLookup } from '../../upstream/types.ts'

/** What filters before it learnt of a connection, by their namespaces. */
export type ConnectionMetadata = ReadonlyMap<string, Readonly<Record<string, unknown>>>

/** Envoy's details of a connection that it closes. */
export type ProviderDenial = 'ext_authz_denied' | 'ext_authz_error'

type Proven = Pick<Transport, 'remoteAddress' | 'tls'>

export class ConnectionAsker {
  readonly #provider
  readonly #failOpen: boolean
  readonly #isMeant: (metadata: ConnectionMetadata) => boolean
  readonly #clusters: ClusterLookup
  readonly #clock: Clock

  /** Throws for what it does not understand. */
  constructor({ grpcService, failureModeAllow, filterEnabledMetadata: enabled }: ExtAuthz, clusters: ClusterLookup, clock: Clock) {
    if (grpcService === undefined) throw badConfig('ext_authz without a service')
    this.#provider = connectionProvider(grpcService)
    this.#failOpen = failureModeAllow
    this.#clusters = clusters
    this.#clock = clock
    const { test } = enabled === undefined ? { test: () => true } : valueTest(enabled.value)
    const path = enabled?.path.map(({ segment }) => (segment.case === 'key' ? segment.value : '')) ?? []
    this.#isMeant = (metadata) => enabled === undefined || test(valueAt(metadata.get(enabled.filter), path)) !== enabled.invert
  }

  /** Whether it is to be asked about a connection of which that is known. */
  isMeant(metadata: ConnectionMetadata): boolean {
    return this.#isMeant(metadata)
  }

  /** Undefined: it may go on. Never rejects. */
  async denial({ arrival }: Arrived, { remoteAddress, tls }: Proven): Promise<ProviderDenial | undefined> {
    const { cluster: name, timeoutMs, ask, read } = this.#provider
    const cluster = this.#clusters(name)
    const { head, body } = ask({ remoteAddress, localAddress: arrival.originalDestination, identity: tls?.peerUris[0] ?? '', ownIdentity: tls?.localUris[0] ?? '' })
    const answer = cluster === undefined ? undefined : await askSide(cluster, head, this.#clock, timeoutMs, body)
    const verdict = answer === undefined ? 'failed' : read(answer)
    if (verdict === 'denied') return 'ext_authz_denied'
    return verdict === 'allowed' || this.#failOpen ? undefined : 'ext_authz_error'
  }
}
