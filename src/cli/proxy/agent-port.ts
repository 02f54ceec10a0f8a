// The agent's HTTP port of `trysail proxy`: what its settings are, and what the agent is told of the workload and its proxy. What
// most proxies do without is loaded when it is asked for: it takes some megabytes (docs/performance.md).
import type { AppMetrics } from '../../agent/probe/app-metrics.ts'
import type { AgentPort } from '../../agent/probe/agent-port.ts'
import type { AppProbers } from '../../agent/probe/app-probers.ts'
import type { ProbePlace } from '../../agent/probe/probe.ts'
import { onOff, port, text } from '../../lib/settings.ts'
import type { Setting, SettingsOf } from '../../lib/settings.ts'
import { formatAddress } from '../../model/address.ts'
import { outsideOfCapture } from '../../net/dial-from.ts'
import { isLoopbackAddress } from '../../net/loopback.ts'
import type { Proxy, ReadinessProbe } from '../../proxy/main.ts'
import type { Places } from '../proxy-places.ts'

/** Istio's: where injected probes are sent. On a machine with several proxies only who asks for it has one. */
const capturedStatusPort = 15020

const statusPort: Setting<number | undefined> = {
  ...port(0, 'HTTP port for probes, scrapes and /drain, on all addresses; 0: none.'), initial: undefined, shown: `${capturedStatusPort} with --capture netfilter, else none`,
}

/** Istio's: where load balancers and kubelet ask whether the proxy itself is ready. */
const capturedHealthPort = 15021

const healthPort: Setting<number | undefined> = {
  ...port(0, 'HTTP port for /healthz/ready alone, on all addresses; 0: none (ENVOY_STATUS_PORT).'), initial: undefined, shown: `${capturedHealthPort} with --capture netfilter, else none`,
}

export const agentPortTable = {
  statusPort,
  healthPort,
  readinessProbe: text('', 'JSON: how the workload is asked whether it takes requests, as WorkloadGroup.probe (readinessProbe of a ProxyConfig). Without it: once it accepts connections.'),
  appProbers: text('', 'JSON: probes of the workload that are answered there, by path (ISTIO_KUBE_APP_PROBERS).'),
  execProbes: onOff(false, 'Lets a WorkloadGroup whose probe is a command have it run on this machine.'),
  appMetrics: text('', 'JSON: scrape, port and path of the workload\'s metrics (ISTIO_PROMETHEUS_ANNOTATIONS).'),
}

export interface WantedAgentPort {
  readonly port: number
  readonly probers: AppProbers
  readonly appMetrics: AppMetrics | undefined
  readonly healthPort: number
  readonly readinessProbe: ReadinessProbe | undefined
}

/** Adds what is wrong to `mistakes`. */
export async function agentPortOf(settings: Omit<SettingsOf<typeof agentPortTable>, 'execProbes'>, { netfilter }: Places, mistakes: string[]): Promise<WantedAgentPort> {
  const { appProbers, appMetrics, readinessProbe } = settings
  return {
    port: settings.statusPort ?? (netfilter ? capturedStatusPort : 0),
    healthPort: settings.healthPort ?? (netfilter ? capturedHealthPort : 0),
    readinessProbe: readinessProbe === '' ? undefined : (await import('./readiness-probe.ts')).readReadinessProbe(readinessProbe, mistakes),
    probers: appProbers === '' ? new Map() : (await import('../../agent/probe/app-probers.ts')).readAppProbers(appProbers, mistakes),
    appMetrics: appMetrics === '' ? undefined : (await import('../../agent/probe/app-metrics.ts')).readAppMetrics(appMetrics, mistakes),
  }
}

/** Where the workload's own ports are: where `--inbound` says, else at its address. What the kernel captures is asked past it. */
export function probePlaceOf({ inbound, netfilter }: Places, ip: string): ProbePlace {
  const goals = new Map(inbound.map(({ listen, goal }) => [formatAddress({ host: ip, port: listen.port }), goal]))
  return { ip, at: (address) => goals.get(formatAddress(address)) ?? address, from: (host) => (netfilter && (host === ip || isLoopbackAddress(host)) ? outsideOfCapture(host) : undefined) }
}

export interface AgentPortParts extends WantedAgentPort {
  readonly proxy: Proxy
  readonly place: ProbePlace
  onQuit(): void
  onDrain(): void
  log(line: string): void
}

/** None for port 0. */
export async function openAgentPort(parts: AgentPortParts): Promise<Pick<AgentPort, 'close'> | undefined> {
  const { port: own, healthPort: health, proxy } = parts
  if (own === 0 && health === 0) return undefined
  const { startAgentPort, startHealthPort } = await import('../../agent/probe/agent-port.ts')
  const opened: AgentPort[] = []
  const close = async (): Promise<void> => void (await Promise.all(opened.map((one) => one.close())))
  try {
    if (own !== 0) opened.push(await startAgentPort(parts))
    if (health !== 0) opened.push(await startHealthPort({ port: health, proxy }))
    return { close }
  } catch (error) {
    await close()
    throw error
  }
}
