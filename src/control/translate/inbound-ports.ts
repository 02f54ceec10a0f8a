// Which ports of its workload a sidecar takes connections for, and whether they take mutual TLS (traffic spec 3.5,
// security spec 2.1): target ports of the services that select it, or what its Sidecar resource lists instead.
import type { ConnectionPool } from '../destination-rule-spec.ts'
import type { ServerTls, SidecarSpec } from '../specs.ts'
import type { Protocol, Service, ServicePort } from '../../model/service.ts'
import type { Workload } from '../../model/workload.ts'
import { isIPv6 } from '../../kinds/fields/host.ts'
import { serverMode } from '../peer-mode-switch.ts'
import type { Peer, Snapshot } from '../snapshot.ts'
import type { Sidecar } from '../snapshot/sidecars.ts'
import type { PeerMode } from '../snapshot/peer-authentication.ts'
import { effectivePolicy } from '../snapshot/destination-rules.ts'
import type { Provenance } from './metadata.ts'
import { resourceProvenance, serviceProvenance } from './metadata.ts'
import type { ProxyNode } from './proxy-node.ts'
import { usablePorts } from './cluster/protocol.ts'

/** Plain data: views carry it as text. */
export interface InboundPort {
  readonly targetPort: number
  readonly servicePort: number
  readonly protocol: Protocol
  readonly hostname: string
  readonly serviceName: string
  readonly namespace: string
  readonly mode: PeerMode
  /** Where the application listens: the workload's own address unless a Sidecar says otherwise. */
  readonly endpoint: { readonly host: string; readonly port: number }
  readonly pool: ConnectionPool | undefined
  /** Where it opens by itself, because nothing captures for it. */
  readonly bind?: string
  /** TLS of the workload's own for clients outside of the mesh; only where mutual TLS is disabled. */
  readonly tls?: ServerTls
  readonly from: Provenance
}

/** The workload behind a proxy, which knows more than the node does; undefined until its source has seen it. */
export function workloadOf(proxy: ProxyNode, snapshot: Snapshot): Workload | undefined {
  const named = snapshot.workloads.named(proxy.namespace, proxy.name)
  if (named !== undefined) return named
  const found = proxy.addresses.map((address) => snapshot.workloads.at(address)).find((one) => one !== undefined)
  return found?.namespace === proxy.namespace ? found : undefined
}

export function peerOf(proxy: ProxyNode, snapshot: Snapshot): Peer {
  return workloadOf(proxy, snapshot) ?? proxy
}

/** Sorted by target port. Of two services on one target port the older one decides. */
export function inboundPorts(proxy: ProxyNode, snapshot: Snapshot): readonly InboundPort[] {
  const sidecar = snapshot.scopeOf(proxy, proxy.type).sidecar
  const ingress = sidecar?.spec.ingress
  const found = sidecar !== undefined && ingress !== undefined && ingress.length > 0
    ? ingress.map((one) => ingressPort(one, proxy, snapshot, sidecar))
    : servicePorts(proxy, snapshot, sidecar?.spec.inboundConnectionPool)
  const byPort = new Map<number, InboundPort>()
  for (const one of found) if (!byPort.has(one.targetPort)) byPort.set(one.targetPort, one)
  return [...byPort.values()].sort((one, other) => one.targetPort - other.targetPort)
}

function servicePorts(proxy: ProxyNode, snapshot: Snapshot, pool: ConnectionPool | undefined): readonly InboundPort[] {
  const peer = peerOf(proxy, snapshot)
  const workload = workloadOf(proxy, snapshot)
  const services = snapshot.servicesOf(peer).toSorted((one, other) => one.creationTimestamp - other.creationTimestamp)
  return services.flatMap((service) => usablePorts(service.ports).flatMap((port) => {
    const targetPort = targetPortOf(port, workload)
    return targetPort === undefined ? [] : [inboundPort(service, port, targetPort, proxy, snapshot, pool)]
  }))
}

const loopback = ({ addresses }: ProxyNode): string => (isIPv6(addresses[0]!) ? '::1' : '127.0.0.1')

/** A named target port is a port of the workload. */
export function targetPortOf(port: ServicePort, workload: Workload | undefined): number | undefined {
  if (typeof port.targetPort === 'number') return port.targetPort
  return workload?.ports.find((one) => one.name === port.targetPort)?.containerPort
}

function inboundPort(
  service: Service, port: ServicePort, targetPort: number, proxy: ProxyNode, snapshot: Snapshot, pool: ConnectionPool | undefined,
): InboundPort {
  const rule = snapshot.destinationRules.lookup(proxy, service)
  return {
    targetPort,
    servicePort: port.number,
    protocol: port.protocol,
    hostname: service.hostname,
    serviceName: service.name,
    namespace: service.namespace,
    mode: serverMode(snapshot.peerModes, peerOf(proxy, snapshot), targetPort),
    endpoint: { host: snapshot.mesh.inboundToLocalhost ? loopback(proxy) : proxy.addresses[0]!, port: targetPort },
    pool: pool ?? effectivePolicy(rule, port.number, '').connectionPool ?? snapshot.mesh.defaultConnectionPool,
    from: serviceProvenance(service),
  }
}

function ingressPort(one: NonNullable<SidecarSpec['ingress']>[number], proxy: ProxyNode, snapshot: Snapshot, sidecar: Sidecar): InboundPort {
  const { number, protocol, name } = one.port
  const mode = serverMode(snapshot.peerModes, peerOf(proxy, snapshot), number)
  const service = snapshot.servicesOf(peerOf(proxy, snapshot)).find((owned) => owned.ports.some((port) => port.number === number))
  return {
    targetPort: number,
    servicePort: number,
    protocol: protocolNamed(protocol),
    hostname: service?.hostname ?? `${name}.${proxy.namespace}`,
    serviceName: service?.name ?? name,
    namespace: proxy.namespace,
    mode,
    // What opens the port itself would call itself there.
    endpoint: one.defaultEndpoint || (!snapshot.mesh.inboundToLocalhost && one.captureMode !== 'NONE')
      ? defaultEndpoint(one.defaultEndpoint, number, proxy.addresses[0]!) : { host: loopback(proxy), port: number },
    pool: one.connectionPool ?? sidecar.spec.inboundConnectionPool ?? snapshot.mesh.defaultConnectionPool,
    ...(mode === 'DISABLE' && one.tls !== undefined && { tls: one.tls }),
    ...(one.captureMode === 'NONE' && { bind: one.bind || proxy.addresses[0]! }),
    from: resourceProvenance(sidecar),
  }
}

const protocols: readonly Protocol[] = ['HTTP', 'HTTP2', 'HTTPS', 'GRPC', 'GRPC-Web', 'TCP', 'TLS', 'UDP', 'Mongo', 'Redis', 'MySQL', 'HTTP_PROXY']

/** Resources write protocols in any case; what is not known is sniffed. */
export function protocolNamed(text: string): Protocol {
  return protocols.find((one) => one.toUpperCase() === text.toUpperCase()) ?? 'auto'
}

/** `127.0.0.1:p`, `unix://path`; 0.0.0.0 stands for the workload's own address. */
function defaultEndpoint(text: string | undefined, port: number, own: string): InboundPort['endpoint'] {
  if (text === undefined || text === '') return { host: own, port }
  if (text.startsWith('unix://')) return { host: text, port: 0 }
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host: host === '0.0.0.0' || (isIPv6(host) && host === '::') ? own : host, port: Number(text.slice(colon + 1)) }
}
