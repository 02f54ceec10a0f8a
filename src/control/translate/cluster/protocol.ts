// What a service port's protocol means for translation.
import type { Protocol, ServicePort } from '../../../model/service.ts'

export const isHttp2 = (protocol: Protocol): boolean => protocol === 'HTTP2' || protocol === 'GRPC'

/** Declared HTTP: routed by Host on a listener that all services of the port share. */
export const isHttp = (protocol: Protocol): boolean =>
  protocol === 'HTTP' || protocol === 'GRPC-Web' || protocol === 'HTTP_PROXY' || isHttp2(protocol)

/** HTTP, or may turn out to be. */
export const mayBeHttp = (protocol: Protocol): boolean => isHttp(protocol) || protocol === 'auto'

/** UDP is not captured. */
export const usablePorts = (ports: readonly ServicePort[]): readonly ServicePort[] => ports.filter((port) => port.protocol !== 'UDP')
