// The YAML of all cases for one side: each case in a namespace of its own, its services with their backends' addresses.
import type { Case, Host, ServiceSpec } from './case.ts'

/** Where things are on one side; both sides have the same names and differ in the network only. */
export interface Layout {
  /** `127.2`: the first half of every address of this side. */
  readonly net: string
  readonly backendPort: number
  /** A backend port of its own for every inbound case, which share the address of their workload. */
  readonly inboundPorts: ReadonlyMap<number, number>
}

/** Tests of the proxy do not need more. */
const closedPort = 1
const accessLogFields = [
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS', 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', 'RESPONSE_CODE', 'RESPONSE_FLAGS', 'RESPONSE_CODE_DETAILS', 'UPSTREAM_CLUSTER_RAW', 'ROUTE_NAME', 'REQ(:METHOD)', 'REQ(:AUTHORITY)',
  'REQ(X-ENVOY-ORIGINAL-PATH?:PATH)', 'PROTOCOL', 'BYTES_RECEIVED', 'BYTES_SENT', 'UPSTREAM_HOST', 'UPSTREAM_TRANSPORT_FAILURE_REASON', 'CONNECTION_TERMINATION_DETAILS',
  'REQUESTED_SERVER_NAME',
]
export const accessLogNames = ['client', 'remote', 'status', 'flags', 'details', 'cluster', 'route', 'method', 'authority', 'path', 'protocol', 'received', 'sent', 'upstream', 'failure', 'termination', 'sni'] as const
export const accessLogFormat = accessLogFields.map((field) => `%${field}%`).join('\t')

export const namespaceOf = (index: number): string => `c${index + 1}`
export const gatewayPortOf = (index: number): number => 20_000 + index
export const workloadAddress = (layout: Layout): string => `${layout.net}.0.1`
export const servicesOf = (one: Case): readonly (readonly [string, ServiceSpec])[] => Object.entries(one.services ?? { a: {} })
export const hostsOf = (spec: ServiceSpec): readonly Host[] => spec.hosts ?? [{}]
export const portOf = (spec: ServiceSpec) => spec.port ?? { name: 'http', number: 80 }
export const virtualAddress = (index: number, service: number): string => `127.${200 + Math.floor(index / 250)}.${(index % 250) + 1}.${service + 1}`

/** The n-th host of a case, over all its services. */
export function hostAddress({ net }: Layout, index: number, host: number): string {
  const [first, second] = net.split('.').map(Number)
  return `${first}.${second! + 2 * Math.floor(index / 250)}.${(index % 250) + 1}.${host + 1}`
}

export function authorityOf(one: Case, index: number): string {
  const [name] = servicesOf(one)[0]!
  switch (one.role ?? 'outbound') {
    case 'gateway':
      return `${namespaceOf(index)}.example.com`
    case 'inbound':
      return `in${index + 1}.client.svc.cluster.local`
    default:
      return `${name}.${namespaceOf(index)}.svc.cluster.local`
  }
}

export const inboundService = (index: number): string => `in${index + 1}`

export function commonFile(layout: Layout): string {
  return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: client, namespace: client }
spec: { address: ${workloadAddress(layout)}, labels: { app: client }, serviceAccount: client, locality: r/z1 }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: strict }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY }, egress: [{ hosts: ["*/*"] }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: edge }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`
}

export function caseFile(one: Case, index: number, layout: Layout): string {
  const namespace = namespaceOf(index)
  const host = authorityOf(one, index)
  const documents = [...serviceDocuments(one, index, layout), ...routeDocuments(one, namespace, host), one.yaml ?? '']
  return documents.filter((text) => text.trim() !== '').join('\n---\n')
    .replaceAll('$ns', namespace).replaceAll('$host', host).replaceAll('$net', layout.net)
    .replaceAll('$inport', String(layout.inboundPorts.get(index) ?? ''))
    .replaceAll('$port', String(gatewayPortOf(index))).replaceAll('$backend', String(layout.backendPort))
}

function serviceDocuments(one: Case, index: number, layout: Layout): string[] {
  if (one.role === 'inbound') return [inboundServiceDocument(one, index, layout)]
  const namespace = namespaceOf(index)
  let host = 0
  return servicesOf(one).flatMap(([name, spec], at) => {
    const port = portOf(spec)
    const service = `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { clusterIP: ${spec.headless === true ? 'None' : virtualAddress(index, at)}, selector: { app: ${name} }, ports: [{ name: ${port.name}, port: ${spec.headless === true ? layout.backendPort : port.number}, targetPort: ${layout.backendPort} }] }`
    return [service, ...hostsOf(spec).map(({ labels = {}, closed = false }, number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}-${number}, namespace: ${namespace} }
spec: { address: ${hostAddress(layout, index, host++)}, labels: ${JSON.stringify({ app: name, ...labels })}${closed ? `, ports: { ${port.name}: ${closedPort} }` : ''} }`)]
  })
}

function inboundServiceDocument(one: Case, index: number, layout: Layout): string {
  const [[, spec] = ['', {}]] = servicesOf(one)
  return `
apiVersion: v1
kind: Service
metadata: { name: ${inboundService(index)}, namespace: client }
spec: { clusterIP: ${virtualAddress(index, 0)}, selector: { app: client }, ports: [{ name: ${portOf(spec).name}, port: 80, targetPort: ${layout.inboundPorts.get(index)} }] }`
}

function routeDocuments(one: Case, namespace: string, host: string): string[] {
  const gateways = one.role === 'gateway' ? 'gateways: [edge/edge], ' : ''
  const [name] = servicesOf(one)[0]!
  return [
    one.http === undefined ? '' : `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: routes, namespace: ${namespace} }
spec: { ${gateways}hosts: [${host}], http: ${one.http} }`,
    one.rule === undefined ? '' : `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: rule, namespace: ${namespace} }
spec: { host: ${name}, ${one.rule} }`,
  ]
}
