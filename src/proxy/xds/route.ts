// What other resources a route table depends on. The table itself is compiled by proxy/http/router.
import type { Route, RouteAction } from '../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RouteConfiguration } from '../../proto/gen/envoy/config/route/v3/route_pb.ts'

/** Names of all clusters that some route of the table may send to. */
export function routeClusterNames(config: RouteConfiguration): readonly string[] {
  const names = new Set<string>()
  for (const { routes } of config.virtualHosts) for (const route of routes) addClusters(route, names)
  for (const { cluster } of config.requestMirrorPolicies) names.add(cluster)
  names.delete('')
  return [...names]
}

function addClusters({ action }: Route, names: Set<string>): void {
  if (action.case === 'route') addActionClusters(action.value, names)
}

function addActionClusters({ clusterSpecifier, requestMirrorPolicies }: RouteAction, names: Set<string>): void {
  if (clusterSpecifier.case === 'cluster') names.add(clusterSpecifier.value)
  if (clusterSpecifier.case === 'weightedClusters') for (const { name } of clusterSpecifier.value.clusters) names.add(name)
  for (const { cluster } of requestMirrorPolicies) names.add(cluster)
}
