// The names of xDS resources, which are Istio's (traffic spec 3.4): dashboards, logs and people know them by heart.

export const dynamicDnsCluster = 'AllowAnyDynamicDNSCluster'
export const passthroughCluster = 'PassthroughCluster'
export const blackHoleCluster = 'BlackHoleCluster'
export const inboundPassthroughCluster = 'InboundPassthroughCluster'
export const virtualOutbound = 'virtualOutbound'
export const virtualInbound = 'virtualInbound'
export const httpProxyRoute = 'http_proxy'

export interface OutboundClusterName {
  readonly port: number
  readonly subset: string
  readonly hostname: string
}

export function outboundCluster(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`
}

/** Undefined for anything else than an outbound cluster. */
export function parseOutboundCluster(name: string): OutboundClusterName | undefined {
  const [direction, port, subset, hostname, more] = name.split('|')
  if (direction !== 'outbound' || subset === undefined || !hostname || more !== undefined) return undefined
  return /^\d{1,5}$/.test(port ?? '') ? { port: Number(port), subset, hostname } : undefined
}

export function inboundCluster(targetPort: number): string {
  return `inbound|${targetPort}||`
}

export function parseInboundCluster(name: string): number | undefined {
  const found = /^inbound\|(\d{1,5})\|\|$/.exec(name)
  return found === null ? undefined : Number(found[1])
}

/** The server name that a client asks for in mesh TLS; east-west gateways route by it. */
export function dnatServerName(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`
}

export function listenerName(address: string, port: number): string {
  return `${address}_${port}`
}
