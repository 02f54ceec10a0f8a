// The kinds that the mesh reads, in the order of the documentation. A new one is one file, one row here, and one in Specs.
import type { Resource } from '../model/resource.ts'
import { configMap } from './core/config-map.ts'
import type { ConfigMapSpec } from './core/config-map.ts'
import { deployment } from './core/deployment.ts'
import type { DeploymentSpec } from './core/deployment.ts'
import { endpointSlice } from './core/endpoint-slice.ts'
import type { EndpointSliceSpec } from './core/endpoint-slice.ts'
import { endpoints } from './core/endpoints.ts'
import type { EndpointsSpec } from './core/endpoints.ts'
import { namespace, node, serviceAccount } from './core/plain.ts'
import type { PlainSpec } from './core/plain.ts'
import { pod } from './core/pod.ts'
import type { PodSpec } from './core/pod.ts'
import { secret } from './core/secret.ts'
import type { SecretSpec } from './core/secret.ts'
import { service } from './core/service.ts'
import type { KubernetesServiceSpec } from './core/service.ts'
import type { Kind } from './kind.ts'
import { destinationRule } from './networking/destination-rule.ts'
import type { DestinationRuleSpec } from './networking/destination-rule.ts'
import { gateway } from './networking/gateway.ts'
import type { GatewaySpec } from './networking/gateway.ts'
import { proxyConfig } from './networking/proxy-config.ts'
import type { NamespaceProxyConfigSpec } from './networking/proxy-config.ts'
import { serviceEntry } from './networking/service-entry.ts'
import type { ServiceEntrySpec } from './networking/service-entry.ts'
import { sidecar } from './networking/sidecar.ts'
import type { SidecarSpec } from './networking/sidecar.ts'
import { virtualService } from './networking/virtual-service.ts'
import type { VirtualServiceSpec } from './networking/virtual-service.ts'
import { workloadEntry } from './networking/workload-entry.ts'
import type { WorkloadEntrySpec } from './networking/workload-entry.ts'
import { workloadGroup } from './networking/workload-group.ts'
import type { WorkloadGroupSpec } from './networking/workload-group.ts'
import { authorizationPolicy } from './security/authorization-policy.ts'
import type { AuthorizationPolicySpec } from './security/authorization-policy.ts'
import { peerAuthentication } from './security/peer-authentication.ts'
import type { PeerAuthenticationSpec } from './security/peer-authentication.ts'
import { requestAuthentication } from './security/request-authentication.ts'
import type { RequestAuthenticationSpec } from './security/request-authentication.ts'
import { process } from './trysail/process.ts'
import type { ProcessSpec } from './trysail/process.ts'
import { routeTest } from './trysail/route-test.ts'
import type { RouteTestSpec } from './trysail/route-test.ts'

/** What `Resource.spec` is, per kind. Of Kubernetes' own kinds it is the object without its metadata. */
export interface Specs {
  VirtualService: VirtualServiceSpec
  DestinationRule: DestinationRuleSpec
  Gateway: GatewaySpec
  ServiceEntry: ServiceEntrySpec
  Sidecar: SidecarSpec
  WorkloadEntry: WorkloadEntrySpec
  WorkloadGroup: WorkloadGroupSpec
  ProxyConfig: NamespaceProxyConfigSpec
  PeerAuthentication: PeerAuthenticationSpec
  RequestAuthentication: RequestAuthenticationSpec
  AuthorizationPolicy: AuthorizationPolicySpec
  Process: ProcessSpec
  RouteTest: RouteTestSpec
  Service: KubernetesServiceSpec
  EndpointSlice: EndpointSliceSpec
  Endpoints: EndpointsSpec
  Pod: PodSpec
  Deployment: DeploymentSpec
  Node: PlainSpec
  Namespace: PlainSpec
  ServiceAccount: PlainSpec
  Secret: SecretSpec
  ConfigMap: ConfigMapSpec
}

export const kinds: readonly Kind[] = [
  virtualService, destinationRule, gateway, serviceEntry, sidecar, workloadEntry, workloadGroup, proxyConfig, peerAuthentication, requestAuthentication, authorizationPolicy, process, routeTest,
  service, endpointSlice, endpoints, pod, deployment, node, namespace, serviceAccount, secret, configMap,
].map((kind) => kind as unknown as Kind) // a table of many specs: each row's own type is checked in its file

export function isKind<Name extends keyof Specs>(resource: Resource, name: Name): resource is Resource<Specs[Name]> {
  return resource.kind === name
}

export function ofKind<Name extends keyof Specs>(resources: Iterable<Resource>, name: Name): Resource<Specs[Name]>[] {
  return [...resources].filter((one) => isKind(one, name)) as Resource<Specs[Name]>[]
}
