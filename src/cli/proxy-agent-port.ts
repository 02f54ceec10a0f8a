// The agent's HTTP port of `trysail proxy`: what its settings are, and what the agent is told of the workload and its proxy.
import { startAgentPort } from '../agent/probe/agent-port.ts'
import type { AgentPort } from '../agent/probe/agent-port.ts'
import { readAppProbers } from '../agent/probe/app-probers.ts'
import type { AppProbers } from '../agent/probe/app-probers.ts'
import type { ProbePlace } from '../agent/probe/probe.ts'
import { readAppMetrics } from '../agent/probe/scrape.ts'
import type { AppMetrics } from '../agent/probe/scrape.ts'
import { onOff, port, text } from '../lib/settings.ts'
import type { SettingsOf } from '../lib/settings.ts'
import { formatAddress } from '../model/address.ts'
import { outsideOfCapture } from '../net/dial-from.ts'
import type { Proxy } from '../proxy/main.ts'
import type { Places } from './proxy-places.ts'

export const agentPortTable = {
  statusPort: port(0, 'HTTP port for probes, scrapes and /drain (Istio: 15020), on all addresses; 0: none.'),
  appProbers: text('', 'JSON: probes of the workload that are answered there, by path (ISTIO_KUBE_APP_PROBERS).'),
  execProbes: onOff(false, 'Lets a WorkloadGroup whose probe is a command have it run on this machine.'),
  appMetrics: text('', 'JSON: scrape, port and path of the workload\'s metrics (ISTIO_PROMETHEUS_ANNOTATIONS).'),
}

export interface WantedAgentPort {
  readonly port: number
  readonly probers: AppProbers
  readonly appMetrics: AppMetrics | undefined
}

/** Adds what is wrong to `mistakes`. */
export function agentPortOf({ statusPort, appProbers, appMetrics }: Omit<SettingsOf<typeof agentPortTable>, 'execProbes'>, mistakes: string[]): WantedAgentPort {
  return { port: statusPort, probers: readAppProbers(appProbers, mistakes), appMetrics: readAppMetrics(appMetrics, mistakes) }
}

/** Where the workload's own ports are: where `--inbound` says, else at its address. What the kernel captures is asked past it. */
export function probePlaceOf({ inbound, netfilter }: Places, ip: string): ProbePlace {
  const goals = new Map(inbound.map(({ listen, goal }) => [formatAddress({ host: ip, port: listen.port }), goal]))
  return { ip, at: (address) => goals.get(formatAddress(address)) ?? address, from: (host) => (netfilter ? outsideOfCapture(host) : undefined) }
}

export interface AgentPortParts extends WantedAgentPort {
  readonly proxy: Proxy
  readonly place: ProbePlace
  onQuit(): void
  onDrain(): void
  log(line: string): void
}

/** None for port 0. */
export function openAgentPort(parts: AgentPortParts): Promise<AgentPort | undefined> {
  return parts.port === 0 ? Promise.resolve(undefined) : startAgentPort(parts)
}
