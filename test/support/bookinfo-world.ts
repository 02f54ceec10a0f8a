// A small world for tests of the control plane: productpage calls reviews (v1, v2) and details; one ingress gateway.
import type { Resource } from '../../src/model/resource.ts'
import type { Endpoint, Service } from '../../src/model/service.ts'
import type { Workload } from '../../src/model/workload.ts'
import type { World } from '../../src/control/snapshot.ts'

const origin = { file: 'world.yaml', line: 1, column: 1 }
const nowhere = { region: '', zone: '', subzone: '' }

export function resource<Spec>(kind: string, name: string, spec: Spec, more: { namespace?: string; line?: number; created?: number; labels?: Record<string, string>; annotations?: Record<string, string> } = {}): Resource<Spec> {
  const at = { file: 'mesh.yaml', line: more.line ?? 1, column: 1 }
  const group = kind === 'PeerAuthentication' ? 'security.istio.io' : 'networking.istio.io'
  return {
    apiVersion: `${group}/v1`,
    kind,
    metadata: { name, namespace: more.namespace ?? 'default', labels: more.labels ?? {}, annotations: more.annotations ?? {}, creationTimestamp: more.created, generation: 1 },
    spec,
    origin: at,
    locate: (path) => ({ ...at, line: at.line + path.length }),
  }
}

export function service(name: string, more: Partial<Service> = {}): Service {
  const namespace = more.namespace ?? 'default'
  return {
    hostname: `${name}.${namespace}.svc.cluster.local`, name, namespace, registry: 'Kubernetes', addresses: ['240.240.0.1'],
    ports: [{ name: 'http', number: 9080, protocol: 'HTTP', targetPort: 9080 }], resolution: 'client-side', meshExternal: false,
    exportTo: ['*'], labels: {}, annotations: {}, selector: { app: name }, aliasOf: undefined, subjectAltNames: [], creationTimestamp: 0, origin,
    ...more,
  }
}

export function workload(name: string, address: string, labels: Record<string, string>, more: Partial<Workload> = {}): Workload {
  return {
    kind: 'Process', name, namespace: 'default', addresses: [address], labels, annotations: {}, serviceAccount: `bookinfo-${labels['app']}`,
    ports: [{ name: 'http', containerPort: 9080, hostPort: undefined }], node: '', locality: nowhere, network: '', weight: 1, ready: true,
    mutualTls: true, workloadName: name, origin, ...more,
  }
}

export function endpoint(of: Service, at: Workload, more: Partial<Endpoint> = {}): Endpoint {
  return {
    hostname: of.hostname, namespace: of.namespace, servicePortName: of.ports[0]!.name, address: at.addresses[0]!, port: 9080, labels: at.labels,
    locality: nowhere, network: '', weight: 1, health: 'healthy', mutualTls: true, serviceAccount: at.serviceAccount,
    workload: `${at.namespace}/${at.name}`, ...more,
  }
}

export function bookinfo(...resources: readonly Resource[]): World {
  const reviews = service('reviews', { addresses: ['240.240.0.1'] })
  const details = service('details', { addresses: ['240.240.0.2'] })
  const productpage = service('productpage', { addresses: ['240.240.0.3'] })
  const workloads = [
    workload('productpage', '127.1.0.1', { app: 'productpage', version: 'v1' }),
    workload('reviews-v1', '127.1.0.2', { app: 'reviews', version: 'v1' }),
    workload('reviews-v2', '127.1.0.3', { app: 'reviews', version: 'v2' }),
    workload('details', '127.1.0.4', { app: 'details', version: 'v1' }),
    workload('ingress', '127.1.0.5', { app: 'ingress', istio: 'ingressgateway' }, { ports: [] }),
  ]
  const endpoints = [
    endpoint(productpage, workloads[0]!), endpoint(reviews, workloads[1]!), endpoint(reviews, workloads[2]!), endpoint(details, workloads[3]!),
  ]
  return { resources, services: [reviews, details, productpage], workloads, endpoints }
}
