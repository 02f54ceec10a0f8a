// The route table inside an inbound listener: everything that reaches a port goes to the application behind it.
import type { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Init } from '../any.ts'
import type { InboundPort } from '../inbound-ports.ts'
import { metadataOf } from '../metadata.ts'
import { isGrpc } from '../cluster/protocol.ts'
import { inboundCluster } from '../names.ts'
import { timeouts } from './action.ts'
import { retryPolicy } from './retry.ts'

/** No timeout; what is tried again is the mesh's to say, but how often, on what and when alone (traffic spec 2.6, 3.5). */
export function inboundRouteTable(port: Omit<InboundPort, 'endpoint' | 'pool'>, { inboundRetry }: Pick<MeshSettings, 'inboundRetry'>): Init<typeof RouteConfigurationSchema> {
  const { targetPort } = port
  const { attempts = 2, retryOn = 'reset-before-request', backoff } = inboundRetry
  const own = { attempts, retryOn, backoff }
  const retry = isGrpc(port.protocol) ? undefined : retryPolicy(own, own, true)
  return {
    name: inboundCluster(targetPort),
    validateClusters: false,
    virtualHosts: [{
      name: `inbound|http|${port.servicePort}`,
      domains: ['*'],
      routes: [{
        name: 'default',
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        decorator: { operation: `${port.hostname}:${port.servicePort}/*` },
        action: {
          case: 'route',
          value: {
            clusterSpecifier: { case: 'cluster', value: inboundCluster(targetPort) },
            ...timeouts(0),
            ...(retry !== undefined && { retryPolicy: retry }),
          },
        },
        metadata: metadataOf(port.from),
      }],
    }],
  }
}

/** For ports without a service: on to where the connection was going. */
export function passthroughRouteTable(cluster: string): Init<typeof RouteConfigurationSchema> {
  return {
    name: cluster,
    validateClusters: false,
    virtualHosts: [{
      name: 'inbound|http|0',
      domains: ['*'],
      routes: [{
        name: 'default',
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        decorator: { operation: ':0/*' },
        action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, ...timeouts(0) } },
      }],
    }],
  }
}
