// What the admin server asks of a running proxy.
import type { JsonObject } from '@bufbuild/protobuf'
import { toJson } from '@bufbuild/protobuf'
import type { Node } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import { NodeSchema } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { AdminSource } from './admin/paths.ts'
import type { ConfigDumpSource } from './admin/config-dump.ts'
import type { Secrets } from './identity/secrets.ts'
import type { Serving } from './main-serving.ts'
import type { Planner } from './plan.ts'
import type { ProxySettings } from './settings.ts'

/** Settings and node, with what must not be shown left out. */
export function bootstrapJson(settings: ProxySettings, node: Node): JsonObject {
  const shown = Object.entries(settings).filter(([name]) => name !== 'token')
  return { node: toJson(NodeSchema, node) as JsonObject, settings: Object.fromEntries(shown) as JsonObject }
}

export function ownSecretsOf(identity: Secrets): ReturnType<ConfigDumpSource['ownSecrets']> {
  const certificate = identity.certificate('default')
  const trust = identity.trust('ROOTCA')
  return [
    ...(certificate === undefined ? [] : [{ name: 'default', certificateChain: certificate.chain, trustedCa: '' }]),
    ...(trust === undefined ? [] : [{ name: 'ROOTCA', certificateChain: '', trustedCa: trust.roots }]),
  ]
}

export function listenersShown(planner: Planner, serving: Serving): ReturnType<AdminSource['listeners']> {
  const problems = new Map(serving.sockets.problems.map(({ listener, message }) => [listener, message]))
  return [...planner.plan.listeners.values()].map(({ name, address }) => {
    const bound = serving.sockets.boundAddress(name)
    return { name, address: bound ?? address, bound: bound !== undefined, problem: problems.get(name) ?? '' }
  })
}
