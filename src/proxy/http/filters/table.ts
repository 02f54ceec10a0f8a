// The HTTP filters that this proxy has, by the type of their configuration. A new one is one file and one row.
import type { Any } from '@bufbuild/protobuf/wkt'
import { systemClock } from '../../../lib/clock.ts'
import type { Clock } from '../../../lib/clock.ts'
import { CorsSchema } from '../../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { FilterConfigSchema as DynamicForwardProxySchema } from '../../../proto/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts'
import { ExtAuthzSchema } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import { HTTPFaultSchema } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { FilterConfigSchema as GrpcStatsSchema } from '../../../proto/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.ts'
import { GrpcWebSchema } from '../../../proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'
import { JwtAuthenticationSchema } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { RBACSchema } from '../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RouterSchema } from '../../../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import type { RbacCounters } from '../../rbac/counters.ts'
import type { ClusterLookup } from '../../upstream/types.ts'
import type { Filter } from '../filter.ts'
import type { MissingKeys } from '../jwt/missing-keys.ts'
import { badConfig, within } from '../router/problem.ts'
import type { Random } from '../router/request.ts'
import { cors } from './cors.ts'
import { extAuthz } from './ext-authz.ts'
import { fault } from './fault.ts'
import { grpcWeb } from './grpc-web.ts'
import { rbac } from './rbac.ts'
import { jwtAuthn } from './jwt-authn.ts'

export interface FilterContext {
  readonly clock: Clock
  readonly random: Random
  /** Of the connection manager, for the names of counters. */
  readonly statPrefix?: string
  /** x-forwarded-for comes from a proxy that is believed, not from clients. */
  readonly believesForwardedFor?: boolean
  readonly rbacCounters?: RbacCounters
  /** Whom filters may ask. */
  readonly clusters?: ClusterLookup
  /** Keys of token issuers that the control plane fetches. */
  readonly missingKeys?: MissingKeys
}

export interface FilterKind {
  /** The type of a route's own configuration. */
  readonly overrideType: string
  /**
   * `override` is the route's own configuration, which replaces or completes `config`. `slot` is the filter's index in
   * Exchange.slots. Undefined: there is nothing to do here.
   */
  create(config: Any, override: Any | undefined, context: FilterContext & { readonly slot: number }): Filter | undefined
}

/** What the core does itself: routing is the end of every chain. */
const partOfTheCore: FilterKind = { overrideType: RouterSchema.typeName, create: () => undefined }

/** Clusters that go by authority look names up themselves. */
const partOfTheCluster: FilterKind = { overrideType: DynamicForwardProxySchema.typeName, create: () => undefined }

/** Calls are counted with all other requests, by their status too. */
const countedAnyway: FilterKind = { overrideType: GrpcStatsSchema.typeName, create: () => undefined }

export const filterKinds: ReadonlyMap<string, FilterKind> = new Map<string, FilterKind>([
  [JwtAuthenticationSchema.typeName, jwtAuthn],
  [RBACSchema.typeName, rbac],
  [ExtAuthzSchema.typeName, extAuthz],
  [HTTPFaultSchema.typeName, fault],
  [CorsSchema.typeName, cors],
  [DynamicForwardProxySchema.typeName, partOfTheCluster],
  [GrpcStatsSchema.typeName, countedAnyway],
  [GrpcWebSchema.typeName, grpcWeb],
  [RouterSchema.typeName, partOfTheCore],
])

/** Throws when a route's own configuration of filters could not be used: a table is refused before it serves. */
export function checkOverrides(perFilter: Readonly<Record<string, Any>>): void {
  for (const [name, override] of Object.entries(perFilter)) {
    within(`typed_per_filter_config of ${name}`, () => {
      const kind = [...filterKinds.values()].find(({ overrideType }) => overrideType === typeOf(override))
      if (kind === undefined) throw badConfig(`${typeOf(override)} is not supported, or not served yet`)
      kind.create(override, override, { clock: systemClock, random: () => 0, slot: 0 })
    })
  }
}

/** `envoy.extensions.filters.http.fault.v3.HTTPFault`. */
export const typeOf = ({ typeUrl }: Any): string => typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
