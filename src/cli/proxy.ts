// `trysail proxy`: one sidecar or gateway as a process of its own, until it is told to end.
import type { AgentPort } from '../agent/probe/agent-port.ts'
import { Readiness } from '../agent/probe/readiness.ts'
import { systemClock } from '../lib/clock.ts'
import { describe, spawn } from '../lib/errors.ts'
import { choice, onOff, text } from '../lib/settings.ts'
import { formatAddress } from '../model/address.ts'
import { chooseTransports } from '../net/transports.ts'
import type { Proxy, ReadinessProbe } from '../proxy/main.ts'
import { proxyEnvPrefix, proxySettingsTable } from '../proxy/settings.ts'
import { openAudit } from './audit.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation, Io } from './command.ts'
import { giveBackLoaded, letCodeBeOptimised, letYoungHeapGrow } from './heap.ts'
import { agentPortOf, agentPortTable, openAgentPort, probePlaceOf } from './proxy/agent-port.ts'
import type { WantedAgentPort } from './proxy/agent-port.ts'
import { joinAgent } from './proxy/agent-link.ts'
import { beginProxy } from './proxy/begin.ts'
import type { BegunProxy } from './proxy/begin.ts'
import { proxyConfigVariables } from './proxy/config-env.ts'
import { credentialsOf } from './proxy/credentials.ts'
import type { Credentials } from './proxy/credentials.ts'
import { dnsOf, dnsTable, openDns } from './proxy/dns.ts'
import type { OpenDns, WantedDns } from './proxy/dns.ts'
import { ownNames } from './proxy/istio-names.ts'
import { Leaving, leavingTable } from './proxy/leaving.ts'
import { joinParent } from './proxy/parent.ts'
import type { ProxyParent } from './proxy/parent.ts'
import { placesOf, placesTable } from './proxy-places.ts'
import { programPorts } from './proxy/program-ports.ts'
import type { Places } from './proxy-places.ts'
import { offerTo } from './proxy/take-over.ts'
import type { Offer } from './proxy/take-over.ts'
import { announce, announcedByParent } from './running.ts'
import { logLevels, serviceLog } from './service-log.ts'
import type { ServiceLog } from './service-log.ts'
import { configOption, settingsOf, settingsOptions } from './settings-options.ts'
import { untilStopped } from './until-stopped.ts'
import { UsageError } from './usage-error.ts'
import { packageVersion } from './version.ts'

const table = {
  ...proxySettingsTable, ...placesTable, ...agentPortTable, ...dnsTable, ...leavingTable,
  takeover: onOff(false, 'Goes on with the sockets of the proxy of this name that runs, which drains and ends once this one serves.'),
  meshConfig: text('', 'MeshConfig file whose defaultConfig is read for what PROXY_CONFIG does not say.'),
  supervised: onOff(false, "'trysail run' starts it so: credentials, the admin server's socket and a gateway's ports come from there, and it ends when that does."),
  logLevel: choice(logLevels, 'info', 'What the log says.'),
}

export const command: Command = {
  summary: 'Runs one proxy alone: a sidecar or a gateway that joins a control plane.',
  about: `It joins over mutual TLS (15012), or over loopback without TLS (--discovery-plaintext, 15010). While the control plane is away it
serves what it was told last. Messages go to standard error, access logs to where MeshConfig sends them. SIGTERM and Ctrl-C drain it
and end it, SIGHUP opens its log files anew, SIGUSR1 the audit log. A second one with --takeover follows the first without a
failed request: new settings, or a new version.`,
  operands: [],
  options: [configOption, ...settingsOptions(table, proxyEnvPrefix)],
  examples: [
    'trysail proxy --name reviews-v1 --ip 127.0.0.2 --labels app=reviews,version=v1 --root-ca-file roots.pem --token-file token --inbound 127.0.0.2:9080=127.0.0.1:8080',
    'trysail proxy --type router --name ingress --labels istio=ingressgateway --root-ca-file roots.pem --token-file token --gateway-port 80=127.0.0.1:8080',
  ],
  async run(invocation, io) {
    const { settings, places, credentials, agentPort, dns: wantedDns } = await wantedProxy(invocation)
    const log = serviceLog(io, settings.logLevel)
    const { transports, problem } = await chooseTransports(settings)
    if (problem !== undefined) log('warning', `connections are carried by ${transports.name}: ${problem}`)
    const ended = new AbortController()
    const parent = settings.supervised ? await joinParent(() => ended.abort()) : undefined
    const audit = openAudit(settings.auditLog, (line) => log('error', line))
    let proxy: Proxy | undefined
    const readiness = new Readiness({
      clock: systemClock, place: probePlaceOf(places, settings.ip), proxy: () => proxy, ports: () => programPorts(places, settings.ip, proxy), probe: agentPort.readinessProbe, groupMayProbe: settings.autoRegisterGroup !== '', runsCommands: settings.execProbes, log: (line) => log('info', line),
    })
    const dns = await openDns(wantedDns, log)
    const options = {
      ...dns.options,
      ...(settings.autoRegisterGroup === '' ? {} : { onProbe: (probe: ReadinessProbe | undefined) => readiness.follow(probe) }),
      ...(audit === undefined ? {} : { audit: audit.writer(`${settings.name}.${settings.namespace}`), auditCounts: () => audit.stats }),
      ...(parent === undefined ? credentials : { ...parent.credentials, audit: parent.audit }), version: packageVersion(), tellsReadiness: parent === undefined, log: (line: string) => log('warning', line), onQuit: () => ended.abort(),
    }
    try {
      letCodeBeOptimised()
      const begun = await beginProxy({ settings, places, options, log, parent })
      proxy = begun.proxy
      giveBackLoaded()
      return await serveUntilStopped({ ...begun, settings, places, agentPort, readiness, dns, log, ended, parent }, io)
    } finally {
      await dns.close()
      readiness.close()
      await audit?.close()
    }
  },
}

type WantedSettings = ReturnType<typeof settingsOf<typeof table>>

interface Wanted {
  readonly settings: WantedSettings
  readonly places: Places
  readonly credentials: Credentials
  readonly agentPort: WantedAgentPort
  readonly dns: WantedDns
}

/** Throws `UsageError` with every mistake. */
export const proxySettingsOf = (invocation: Invocation): WantedSettings => settingsOf(table, { envPrefix: proxyEnvPrefix, env: environment(invocation) }, invocation)

/** Throws `UsageError` with every mistake. */
async function wantedProxy(invocation: Invocation): Promise<Wanted> {
  const settings = proxySettingsOf(invocation)
  const mistakes = settings.name === '' ? ['--name is needed: the name of the workload'] : []
  const places = placesOf(settings, settings, mistakes)
  const credentials = settings.supervised ? { roots: '' } : credentialsOf(settings, mistakes)
  const agentPort = await agentPortOf(settings, places, mistakes)
  const dns = dnsOf(settings, mistakes)
  if (mistakes.length > 0) throw new UsageError(mistakes)
  return { settings, places, credentials, agentPort, dns }
}

function environment(invocation: Invocation): Readonly<Record<string, string | undefined>> {
  return { ...startVariables(invocation), ...ownNames(process.env), ...process.env }
}

/** Throws `UsageError`. */
export function startVariables(invocation: Invocation): Readonly<Record<string, string>> {
  return proxyConfigVariables({ meshConfig: invocation.text('mesh-config') ?? process.env[`${proxyEnvPrefix}MESH_CONFIG`] ?? '', proxyConfig: process.env['PROXY_CONFIG'] })
}

interface RunningProxy extends BegunProxy, Omit<Wanted, 'credentials' | 'dns'> {
  readonly dns: OpenDns
  readonly readiness: Readiness
  readonly log: ServiceLog
  readonly ended: AbortController
  readonly parent: ProxyParent | undefined
}

async function serveUntilStopped(running: RunningProxy, io: Io): Promise<number> {
  const { proxy, settings, log, ended, parent } = running
  const { discoveryAddress } = settings
  const reopen = (): void => proxy.reopenLogs()
  process.on('SIGHUP', reopen)
  const announced = (): void => {
    if (proxy.adminPort > 0) announcement.update({ proxies: [{ name: settings.name, namespace: settings.namespace, admin: { host: '127.0.0.1', port: proxy.adminPort } }] })
  }
  let failed = false
  let offer: Offer | undefined
  let yielded: Promise<number> | undefined
  /** POST /drain or /quitquitquit: whoever asks then has done the waiting. */
  let atOnce = false
  let agentPort: Pick<AgentPort, 'close'> | undefined
  const leaving = new Leaving(proxy, settings, systemClock)
  const agent = joinAgent({ leave: () => leaving.drainInbound(), onGone: () => ended.abort() })
  const announcement = agent?.announcement ?? (parent === undefined ? announce() : announcedByParent)
  const place = probePlaceOf(running.places, settings.ip)
  const openPort = async (): Promise<void> => {
    agentPort = await openAgentPort({
      ...running.agentPort, place, proxy, log: (line) => log('warning', line),
      onQuit: () => {
        atOnce = true
        ended.abort()
      },
      onDrain: () => {
        atOnce = true
        spawn('draining', proxy.drain())
      },
    })
  }
  const yieldTo = async (): Promise<void> => {
    announcement.remove()
    yielded = proxy.drain()
    log('info', `another process has taken over; drains for ${settings.drainDuration / 1000} s at most`)
    spawn('draining', yielded.then(() => ended.abort()))
    running.readiness.close() // the next one says how the application is
    await agentPort?.close()
    await running.dns.close()
    await proxy.closeAdmin()
  }
  const serves = async (): Promise<void> => {
    letYoungHeapGrow()
    await running.serveAlone()
    if (parent === undefined) running.readiness.begin()
    // It serves by now, and the one before does not any more: better without the port than not at all.
    if (settings.takeover) await openPort().catch((error: unknown) => log('error', describe(error)))
    announced()
    log('info', ['serves', ...running.sentences, ...proxy.listening.map((at) => `listens on ${formatAddress(at)}`)].join('; '))
    agent?.ready()
    if (parent !== undefined) return
    offer = await offerTo(settings, { sockets: () => running.sockets(), yieldTo }).catch((error: unknown) => {
      log('warning', `it cannot be taken over: ${describe(error)}`)
      return undefined
    })
  }
  spawn('beginning to serve', proxy.whenReady.then(serves, () => {
    failed = true
    ended.abort()
  }))
  try {
    parent?.answersFor(proxy, place)
    // Beside an agent there is no program yet, or one that nobody could reach until now.
    if (agent !== undefined && !settings.takeover) running.readiness.notYet()
    if (!settings.takeover) await openPort()
    announced()
    log('info', `${proxy.nodeId} joins ${discoveryAddress}${proxy.adminPort > 0 ? `; admin on http://127.0.0.1:${proxy.adminPort}` : ''}`)
    await untilStopped(AbortSignal.any([io.stop, ended.signal]))
    if (!failed && !atOnce && yielded === undefined) {
      log('info', `drains for ${leaving.leftMs / 1000} s at most`)
      await leaving.beforeEnd()
    }
  } finally {
    offer?.close()
    await proxy.close(atOnce || (yielded !== undefined && !io.stop.aborted) ? 0 : leaving.leftMs)
    await agentPort?.close()
    process.off('SIGHUP', reopen)
    announcement.remove()
  }
  return failed ? exitCode.findings : exitCode.fine
}
