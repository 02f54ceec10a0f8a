// What a service port's protocol means for translation.
import type { Protocol, ServicePort } from '../../../model/service.ts'

export const isGrpc = (protocol: Protocol): boolean => protocol === 'GRPC' || protocol === 'GRPC-Web'

/** Servers of gRPC-Web take gRPC: it is the proxy that turns one into the other. */
export const isHttp2 = (protocol: Protocol): boolean => protocol === 'HTTP2' || isGrpc(protocol)

/** Declared HTTP: routed by Host on a listener that all services of the port share. */
export const isHttp = (protocol: Protocol): boolean =>
  protocol === 'HTTP' || protocol === 'HTTP_PROXY' || isHttp2(protocol)

/** What of gRPC may come where ports of these protocols are served together. */
export function grpcOf(protocols: readonly Protocol[]): 'none' | 'grpc' | 'web' {
  if (protocols.includes('GRPC-Web')) return 'web'
  return protocols.includes('GRPC') ? 'grpc' : 'none'
}

/** TLS that is the client's own. */
export const speaksTls = ({ protocol }: Pick<ServicePort, 'protocol'>): boolean => protocol === 'TLS' || protocol === 'HTTPS'

/** HTTP, or may turn out to be. */
export const mayBeHttp = (protocol: Protocol): boolean => isHttp(protocol) || protocol === 'auto'

/** UDP is not captured. */
export const usablePorts = (ports: readonly ServicePort[]): readonly ServicePort[] => ports.filter((port) => port.protocol !== 'UDP')
