// What is captured of a workload's traffic, and what is left alone: Istio's annotations as one value. How it is written on
// a command line is settings.ts, how in annotations annotations.ts; what follows from it is rules.ts.

/** `REDIRECT` rewrites the destination; `TPROXY` keeps the source address of what comes in. `NONE`: nothing is captured. */
export type InterceptionMode = 'REDIRECT' | 'TPROXY' | 'NONE'

/** All, or these. */
export type AllOr<One> = '*' | readonly One[]

export interface CaptureSettings {
  readonly mode: InterceptionMode
  /** Where the proxy takes what the workload sends. */
  readonly outboundPort: number
  /** Where the proxy takes what is sent to the workload. */
  readonly inboundPort: number
  readonly includeInboundPorts: AllOr<number>
  /** Only with `*`: who lists ports leaves the others out anyway. */
  readonly excludeInboundPorts: readonly number[]
  /** Captured wherever they lead. */
  readonly includeOutboundPorts: readonly number[]
  readonly excludeOutboundPorts: readonly number[]
  /** CIDRs of both families. */
  readonly includeOutboundRanges: AllOr<string>
  readonly excludeOutboundRanges: readonly string[]
  /** Nothing that passes through these is captured. */
  readonly excludeInterfaces: readonly string[]
  /** Behind these are virtual machines: what they send is the workload's too. */
  readonly virtualInterfaces: readonly string[]
  /** Groups, by number or name, whose programs are captured. */
  readonly includeOwnerGroups: AllOr<string>
  readonly excludeOwnerGroups: readonly string[]
  /** Whose traffic is the proxy's own and left alone: users, groups, and marks of packets where there is only one user. */
  readonly proxyUids: readonly number[]
  readonly proxyGids: readonly number[]
  readonly proxyMarks: readonly number[]
  /** Name servers whose queries are captured; empty for none, `*` for those to any. */
  readonly dnsServers: AllOr<string>
  /** Where the proxy answers them. */
  readonly dnsPort: number
  /** What of IPv4's loopback is left alone. */
  readonly loopbackRange: string
  readonly ipv6: boolean
  /** Packets that belong to no connection are dropped: else a late one may reset a connection that goes on. */
  readonly dropInvalid: boolean
}

/** Istio's user and group of a proxy. */
export const proxyId = 1337

export const defaultCapture: CaptureSettings = {
  mode: 'REDIRECT',
  outboundPort: 15001, inboundPort: 15006,
  includeInboundPorts: '*', excludeInboundPorts: [],
  includeOutboundPorts: [], excludeOutboundPorts: [],
  includeOutboundRanges: '*', excludeOutboundRanges: [],
  excludeInterfaces: [], virtualInterfaces: [],
  includeOwnerGroups: '*', excludeOwnerGroups: [],
  proxyUids: [proxyId], proxyGids: [proxyId], proxyMarks: [],
  dnsServers: [], dnsPort: 15053,
  loopbackRange: '127.0.0.1/32',
  ipv6: true,
  dropInvalid: false,
}

/** The defaults, with some replaced. */
export const captureSettings = (over: Partial<CaptureSettings>): CaptureSettings => ({ ...defaultCapture, ...over })

/** Ports of the proxy itself that peers and probes reach without it being asked: Prometheus, health, the agent. */
export const istioExcludedInboundPorts: readonly number[] = [15090, 15021, 15020]
