// What Kubernetes and Istio call settings of a proxy in the environment, below the settings' own names.
import { dnsAliases } from './dns.ts'

/** Our variable -> theirs. */
const istioNames: Readonly<Record<string, string>> = {
  TRYSAIL_PROXY_NAME: 'POD_NAME', TRYSAIL_PROXY_NAMESPACE: 'POD_NAMESPACE', TRYSAIL_PROXY_SERVICE_ACCOUNT: 'SERVICE_ACCOUNT',
  TRYSAIL_PROXY_IP: 'INSTANCE_IP', TRYSAIL_PROXY_INSTANCE_IPS: 'INSTANCE_IPS', TRYSAIL_PROXY_TRUST_DOMAIN: 'TRUST_DOMAIN',
  TRYSAIL_PROXY_WORKLOAD_NAME: 'ISTIO_META_WORKLOAD_NAME', TRYSAIL_PROXY_CLUSTER_ID: 'ISTIO_META_CLUSTER_ID',
  TRYSAIL_PROXY_MESH_ID: 'ISTIO_META_MESH_ID', TRYSAIL_PROXY_NETWORK: 'ISTIO_META_NETWORK', TRYSAIL_PROXY_AUTO_REGISTER_GROUP: 'ISTIO_META_AUTO_REGISTER_GROUP',
  TRYSAIL_PROXY_APP_PROBERS: 'ISTIO_KUBE_APP_PROBERS', TRYSAIL_PROXY_APP_METRICS: 'ISTIO_PROMETHEUS_ANNOTATIONS', TRYSAIL_PROXY_HEALTH_PORT: 'ENVOY_STATUS_PORT',
  TRYSAIL_PROXY_INTERCEPTION_MODE: 'ISTIO_META_INTERCEPTION_MODE', TRYSAIL_PROXY_DNS_CAPTURE: 'ISTIO_META_DNS_CAPTURE',
  TRYSAIL_PROXY_EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'EXIT_ON_ZERO_ACTIVE_CONNECTIONS', TRYSAIL_PROXY_MINIMUM_DRAIN_DURATION: 'MINIMUM_DRAIN_DURATION',
  ...dnsAliases,
}

type Variables = Readonly<Record<string, string | undefined>>

/** Theirs as ours. */
export function ownNames(given: Variables): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(istioNames).flatMap(([own, theirs]) => {
    const value = given[theirs]
    return value === undefined || !isOurs(theirs, value) ? [] : [[own, value]]
  }))
}

/** Istio's NONE says that nothing is intercepted: so does a proxy that is told of no netfilter. */
const isOurs = (name: string, value: string): boolean => name !== 'ISTIO_META_INTERCEPTION_MODE' || value !== 'NONE'
