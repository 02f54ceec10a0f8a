// A route that sends requests on: its clusters with their weights, and what belongs to each; times and retries.
import type { Any } from '@bufbuild/protobuf/wkt'
import { remainder } from '../../../lib/xxhash64.ts'
import type { Hash64 } from '../../../lib/xxhash64.ts'
import { RouteAction_ClusterNotFoundResponseCode as NotFoundCode } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RetryPolicy, RouteAction, RouteMatch } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { milliseconds } from '../../xds/duration.ts'
import { checkOverrides } from '../filters/table.ts'
import { upgradesOf } from '../manager-config.ts'
import { usesHashPolicy } from '../../../xds/use-hash-policy.ts'
import { compileHashPolicies, hashOf } from './hash-policy.ts'
import type { CompiledHash, HashedRequest } from './hash-policy.ts'
import { compileHeaderEdits } from './header-edits.ts'
import type { HeaderEdits, HeaderLevel } from './header-edits.ts'
import { compileMirrors } from './mirror-policy.ts'
import type { CompiledMirror } from './mirror-policy.ts'
import { badConfig } from './problem.ts'
import type { Random, RoutedRequest } from './request.ts'
import { compileRetry } from './retry-policy.ts'
import type { CompiledRetry } from './retry-policy.ts'
import { compileHostRewrite, compilePathRewrite } from './rewrite.ts'
import type { RewriteHost, RewritePath } from './rewrite.ts'
import { compileStreamDuration } from './stream-duration.ts'
import type { StreamDuration } from './stream-duration.ts'

export type PerFilter = Readonly<Record<string, Any>>

/** Where one request goes, with what its cluster adds to the route: a key of filter chains too. */
export interface Target {
  /** Empty with `clusterHeader`. */
  readonly clusterName: string
  /** The request names its cluster in this header. */
  readonly clusterHeader: string
  readonly weight: number
  readonly rewriteHost: RewriteHost
  readonly edits: HeaderEdits
  readonly perFilter: PerFilter
}

export interface ForwardAction {
  readonly kind: 'forward'
  readonly targets: readonly Target[]
  readonly totalWeight: number
  /** The draw among several targets is the request's hash instead, where it has one. */
  readonly drawsByHash: boolean
  /** A header that says the number to draw, so that several proxies in a row agree; empty: none. */
  readonly drawHeader: string
  readonly rewritePath: RewritePath | undefined
  readonly appendForwardedHost: boolean
  /** 0: none. */
  readonly timeoutMs: number
  /** The longest that `grpc-timeout` may ask for in place of `timeoutMs` (Envoy's older field), 0 for any; undefined: it is not looked at. */
  readonly maxGrpcTimeoutMs: number | undefined
  /** Undefined: the connection manager's. */
  readonly duration: StreamDuration | undefined
  readonly retry: CompiledRetry | undefined
  /** By what its requests are kept together; undefined: by nothing. */
  readonly hash: CompiledHash | undefined
  readonly notFoundStatus: number
  readonly mirrors: readonly CompiledMirror[]
  /** As in the manager's settings, of which these win. */
  readonly upgrades: ReadonlyMap<string, boolean>
}

/** What surrounds a route: levels of header operations in the order in which they run without the cluster's own. */
export interface Surroundings {
  readonly levels: readonly HeaderLevel[]
  /** Header operations of outer levels win, so they run last. */
  readonly mostSpecificWins: boolean
  readonly perFilter: PerFilter
  readonly retryPolicy: RetryPolicy | undefined
}

const noUpgrades: ReadonlyMap<string, boolean> = new Map()

/** Envoy's, for a route that does not say. */
const defaultTimeoutMs = 15_000
const notFoundStatuses: Readonly<Record<number, number>> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503, [NotFoundCode.NOT_FOUND]: 404, [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
}

export function compileForward(action: RouteAction, match: RouteMatch | undefined, around: Surroundings): ForwardAction {
  const targets = targetsOf(action, around)
  const retryPolicy = action.retryPolicy ?? around.retryPolicy
  const grpcMax = action.maxGrpcTimeout
  return {
    kind: 'forward',
    targets,
    ...drawOf(action),
    totalWeight: targets.reduce((sum, { weight }) => sum + weight, 0),
    rewritePath: compilePathRewrite(action, match),
    appendForwardedHost: action.appendXForwardedHost,
    timeoutMs: action.timeout === undefined ? defaultTimeoutMs : milliseconds(action.timeout),
    maxGrpcTimeoutMs: grpcMax === undefined ? undefined : milliseconds(grpcMax),
    duration: action.maxStreamDuration && compileStreamDuration(action.maxStreamDuration),
    retry: retryPolicy === undefined ? undefined : compileRetry(retryPolicy),
    hash: compileHashPolicies(action.hashPolicy),
    notFoundStatus: notFoundStatuses[action.clusterNotFoundResponseCode] ?? 503,
    mirrors: compileMirrors(action.requestMirrorPolicies),
    upgrades: action.upgradeConfigs.length === 0 ? noUpgrades : upgradesOf(action.upgradeConfigs),
  }
}

/** What a target is chosen for. A live Exchange is one. */
export interface DrawingRequest extends HashedRequest {
  hash: Hash64 | undefined
}

/** One draw for each request; retries stay with the cluster that was drawn. Without a request it is always a draw. */
export function chooseTarget(action: ForwardAction, random: Random, request?: DrawingRequest): Target {
  const { targets, totalWeight } = action
  if (targets.length === 1) return targets[0]!
  let left = (request === undefined ? undefined : numberOf(action, request)) ?? random() * totalWeight
  for (let i = 0; i < targets.length - 1; i++) {
    left -= targets[i]!.weight
    if (left < 0) return targets[i]!
  }
  return targets.at(-1)!
}

/** Envoy's: the number modulo all weights, which lie one behind the other in the order of the clusters. */
function numberOf({ drawHeader, drawsByHash, hash, totalWeight }: ForwardAction, request: DrawingRequest): number | undefined {
  const said = drawHeader === '' ? undefined : request.requestHeaders.joined(drawHeader)
  if (said !== undefined && /^\d{1,20}$/.test(said)) return Number(BigInt(said) % BigInt(totalWeight))
  if (!drawsByHash || hash === undefined) return undefined
  // A cookie that is made here is for the host too: the first request goes where those with the cookie will.
  request.hash = hashOf(hash, request)
  return request.hash === undefined ? undefined : moduloWeights(request.hash, totalWeight)
}

export function clusterNameOf({ clusterName, clusterHeader }: Target, { requestHeaders }: RoutedRequest): string {
  return clusterHeader === '' ? clusterName : (requestHeaders.get(clusterHeader) ?? '')
}

function moduloWeights(hash: Hash64, total: number): number {
  if (total <= 2 ** 24) return remainder(hash, total)
  return Number(((BigInt(hash.high) << 32n) | BigInt(hash.low)) % BigInt(total))
}

function drawOf({ clusterSpecifier: { case: kind, value } }: RouteAction): Pick<ForwardAction, 'drawsByHash' | 'drawHeader'> {
  if (kind !== 'weightedClusters') return { drawsByHash: false, drawHeader: '' }
  const { case: by, value: header } = value.randomValueSpecifier
  return { drawsByHash: usesHashPolicy(value), drawHeader: by === 'headerName' ? header.toLowerCase() : '' }
}

function targetsOf(action: RouteAction, around: Surroundings): readonly Target[] {
  const { case: kind, value } = action.clusterSpecifier
  const common = { clusterName: '', clusterHeader: '', weight: 1, rewriteHost: compileHostRewrite(action), edits: compileHeaderEdits(around.levels), perFilter: around.perFilter }
  switch (kind) {
    case 'cluster': {
      if (value === '') throw badConfig('an empty cluster name')
      return [{ ...common, clusterName: value }]
    }
    case 'clusterHeader': return [{ ...common, clusterHeader: value.toLowerCase() }]
    case 'weightedClusters': {
      for (const { typedPerFilterConfig } of value.clusters) checkOverrides(typedPerFilterConfig)
      const targets = value.clusters.map((cluster): Target => ({
        clusterName: cluster.name,
        clusterHeader: cluster.clusterHeader.toLowerCase(),
        weight: cluster.weight ?? 0,
        rewriteHost: cluster.hostRewriteSpecifier.case === undefined ? common.rewriteHost : cluster.hostRewriteSpecifier.value,
        edits: compileHeaderEdits(around.mostSpecificWins ? [...around.levels, cluster] : [cluster, ...around.levels]),
        perFilter: { ...around.perFilter, ...cluster.typedPerFilterConfig },
      })).filter(({ weight }) => weight > 0)
      if (targets.length === 0) throw badConfig('weighted_clusters: no cluster has a weight')
      return targets
    }
    default: throw badConfig(`a cluster specifier of kind ${kind ?? 'none'} is not supported`)
  }
}
