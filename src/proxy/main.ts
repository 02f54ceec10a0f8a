// A whole proxy from its parts, by plain constructor calls: identity, xDS stream, clusters, HTTP, telemetry. What drives
// them is running-proxy.ts.
import { systemClock } from '../lib/clock.ts'
import type { Clock } from '../lib/clock.ts'
import { MeshError } from '../lib/errors.ts'
import { formatAddress, parseAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'
import type { AuditCounts, WriteAudit } from '../telemetry/audit/events.ts'
import { ListenSet } from '../net/listen-set.ts'
import type { Metrics } from '../telemetry/metrics/registry.ts'
import { mergedMetrics, snapshotOf } from '../telemetry/metrics/snapshot.ts'
import { systemCalls } from '../telemetry/sink/log-file.ts'
import { LogFiles } from '../telemetry/sink/log-files.ts'
import { wholeLines } from '../telemetry/sink/whole-lines.ts'
import type { LogSinks } from '../telemetry/sink/log-files.ts'
import { missingKeysType } from '../xds/missing-keys.ts'
import { compileConnectionManager } from './http/connection-manager.ts'
import { HttpCounters } from './http/http-counters.ts'
import { MissingKeys } from './http/jwt/missing-keys.ts'
import { compileRoutes } from './http/router/compile.ts'
import { givenIdentity } from './identity/given.ts'
import type { GivenCertificates } from './identity/given.ts'
import { openIdentity } from './identity/identity.ts'
import type { Identity } from './identity/identity.ts'
import type { Capture } from './listen/capture.ts'
import { InboundPeers } from './listen/inbound-peers.ts'
import { runProxy } from './running-proxy.ts'
import type { Proxy, ProxyParts, XdsStream } from './proxy-parts.ts'
import type { StatLine } from './admin/paths.ts'
import type { ProxySettings } from './settings.ts'
import { ProxyTelemetry } from './telemetry/proxy-telemetry.ts'
import { answerTo } from './threads/answering.ts'
import { FedIdentity, FedStream } from './threads/fed-parts.ts'
import { FollowedNumbers } from './threads/followed-numbers.ts'
import type { FromThread, Link, ToThread } from './threads/link.ts'
import { mergedCounters } from './threads/report.ts'
import type { Counted } from './threads/report.ts'
import { SharedNumbers } from './threads/shared-numbers.ts'
import { ThreadSet } from './threads/thread-set.ts'
import type { ThreadSetParts } from './threads/thread-set.ts'
import { openClusters } from './upstream/cluster-set.ts'
import type { Clusters } from './upstream/cluster-set.ts'
import type { ClusterSharing } from './upstream/sharing.ts'
import { openXdsStream } from './xds/client.ts'
import { deferredStream } from './xds/deferred-stream.ts'
import { takeNames } from './xds/names.ts'
import type { NameTable } from './xds/names.ts'
import { takeProbe } from './xds/readiness-probe.ts'
import type { ReadinessProbe } from './xds/readiness-probe.ts'

export type { Proxy } from './proxy-parts.ts'
export type { Capture } from './listen/capture.ts'
export type { NameAddresses, NameTable } from './xds/names.ts'
export type { ReadinessProbe } from './xds/readiness-probe.ts'
export type { FromThread, Link, ThreadHandle, ToThread } from './threads/link.ts'

export interface ProxyOptions {
  /** PEM: the roots that vouch for the control plane and the CA. */
  readonly roots: string
  /** Certificates that come from elsewhere; without them the CA is asked. */
  readonly certificates?: GivenCertificates
  /** The bearer token of the moment, asked whenever it is shown. Without it, the one of the settings. */
  readonly bearer?: () => string
  readonly capture?: Capture
  readonly version?: string
  readonly clock?: Clock
  /** One line for people. */
  readonly log?: (line: string) => void
  /** Takes what access logs write to /dev/stdout and /dev/stderr, a line each; without it, it goes there. */
  readonly standardOutput?: (line: string) => void
  /** Where denials and admin actions are written down. */
  readonly audit?: WriteAudit
  /** Of the audit log, where this proxy has one of its own. */
  readonly auditCounts?: () => AuditCounts
  /** Takes the names that the workload may look up, and their addresses, whenever they change. Without it they are not asked for. */
  readonly onNames?: (names: NameTable) => void
  /** Takes how the application is to be asked whether it is well, whenever that changes. Without it nobody asks for it. */
  readonly onProbe?: (probe: ReadinessProbe | undefined) => void
  /** The caller says by `reportHealth` when the application takes requests: until then, one that has left before is not sent any. */
  readonly tellsReadiness?: boolean
  /** More of the text for Prometheus: of what serves beside the proxy. */
  readonly moreMetrics?: () => string
  /** POST /quitquitquit. */
  readonly onQuit?: () => void
  /** Which thread of several this is, from 0. */
  readonly threadNumber?: number
  /** Other threads that serve with this one: how many, and how one is started. */
  readonly threads?: Pick<ThreadSetParts, 'count' | 'spawn'>
  /** Shares addresses with other threads, or goes on with the sockets of the process before. */
  readonly sockets?: ListenSet
  /** The caller starts the admin server when it is time. */
  readonly withoutAdmin?: boolean
}

/** Resolves once the admin server answers; `whenReady` of the result says when it serves. Throws `proxy/settings`. */
export async function startProxy(settings: ProxySettings, options: ProxyOptions): Promise<Proxy> {
  const { clock = systemClock, log = () => undefined } = options
  const identity = identityOf(settings, options)
  const { threads, bearer = () => settings.token, sockets = new ListenSet({ sharing: 'alone' }) } = options
  const numbers = threads === undefined ? undefined : new SharedNumbers(threads.count + 1)
  const missingKeys = new MissingKeys(clock)
  return await runProxy(settings, {
    ...partsOf(settings, options, missingKeys, numbers),
    identity,
    openStream: (node, onUpdate) => toldOf(missingKeys, deferredStream(identity.whenReady, () => openXdsStream({
      address: addressOf(settings.discoveryAddress, 'discoveryAddress'),
      tls: settings.discoveryPlaintext ? undefined : { serverName: '' },
      identity, bearer,
      protocol: settings.xdsProtocol,
      names: options.onNames !== undefined,
      probe: options.onProbe !== undefined,
      clock, log,
    }, node, onUpdate))),
    onEnd: () => identity.close(),
    ...(threads === undefined || numbers === undefined ? {} : {
      openThreads: (accepted) => new ThreadSet({ ...threads, sockets, numbers, clock, identity, log, audit: (event) => options.audit?.(event), missingKey: (source) => missingKeys.say(source) }, accepted),
    }),
  })
}

/** What a thread is made with: its places are its own, the rest it is told. */
export type ThreadOptions = Pick<ProxyOptions, 'capture' | 'version' | 'clock' | 'threadNumber'> & Required<Pick<ProxyOptions, 'sockets'>>

/** One more thread of a proxy, told by the first one over `link` what it serves. */
export async function startThread(settings: ProxySettings, options: ThreadOptions, link: Link<FromThread, ToThread>): Promise<Proxy> {
  const identity = new FedIdentity()
  const stream = new FedStream()
  const numbers = new FollowedNumbers(options.threadNumber ?? 1, (message) => link.send(message))
  const missingKeys = new MissingKeys(options.clock ?? systemClock)
  missingKeys.say = (source) => link.send({ kind: 'missing-key', source })
  const parts = partsOf(settings, { ...options, roots: '', log: (line) => link.send({ kind: 'log', line }), audit: (event) => link.send({ kind: 'audit', event }) }, missingKeys, numbers)
  const proxy = await runProxy(settings, { ...parts, identity, openStream: (_node, onUpdate) => stream.open(onUpdate), withoutAdmin: true })
  answerTo(link, { proxy, identity, stream, numbers, sockets: options.sockets })
  return proxy
}

/** The control plane hears of keys that are missing on the stream that it sends them on. */
function toldOf(missingKeys: MissingKeys, stream: XdsStream): XdsStream {
  missingKeys.say = (source) => stream.mention(missingKeysType, [source])
  return stream
}

type SharedParts = Omit<ProxyParts, 'identity' | 'openStream'>

/** All that is the same in every thread. */
function partsOf(settings: ProxySettings, options: ProxyOptions, missingKeys: MissingKeys, sharing: ClusterSharing | undefined): SharedParts {
  const { clock = systemClock, log = () => undefined, version = '' } = options
  const calls = settings.concurrency === 1 ? systemCalls : wholeLines(systemCalls)
  const files = new LogFiles({ clock, calls, onProblem: log })
  const inboundPeers = new InboundPeers(clock)
  const telemetry = new ProxyTelemetry(settings, { sinks: sinksOf(files, options), version, clock, audit: options.audit, inboundPeers })
  let clusters: Clusters | undefined
  const httpCounters = new HttpCounters()
  const counters = () => [...(clusters?.stats() ?? []), ...httpCounters.lines(), ...files.stats(), ...auditLines(options.auditCounts?.())]
  return {
    openUpstream: (secrets, dial, bindsSources) => (clusters = openClusters({ secrets, dial, bindsSources, clock, log, locality: localityOf(settings), sharing })),
    compileRoutes,
    compileHttp: (manager, { direction, clusters: lookup, routes }) =>
      compileConnectionManager(manager, { direction, clusters: lookup, routes, clock, random: Math.random, counters: httpCounters, missingKeys, ...telemetry.http(direction) }),
    tcpHooks: telemetry.tcpHooks,
    listenerLog: telemetry.listenerLog,
    onConnectionEnd: (entry) => telemetry.onConnectionEnd?.(entry),
    onAdminAction: (action, from) => options.audit?.({ event: 'admin-action', action, client: { address: formatAddress(from), identity: '' } }),
    inboundPeers,
    rbacCounters: httpCounters.rbac,
    counted: () => ({ counters: counters(), metrics: snapshotOf(telemetry.metrics) }),
    stats: (all) => telemetry.stats(mergedCounters(all.map((one) => one.counters)), metricsOf(all)),
    prometheus: (all) => telemetry.prometheus(mergedCounters(all.map((one) => one.counters)), metricsOf(all)) + (options.moreMetrics?.() ?? ''),
    log, clock, version,
    onReopenLogs: () => files.reopen(),
    async onClosed() {
      telemetry.close()
      await files.close()
    },
    ...(options.capture === undefined ? {} : { capture: options.capture }),
    ...(options.onNames === undefined ? {} : takeNames(options.onNames)),
    ...(options.onProbe === undefined ? {} : { onProbe: takeProbe(options.onProbe) }),
    tellsReadiness: options.tellsReadiness,
    ...(options.onQuit === undefined ? {} : { onQuit: options.onQuit }),
    listen: options.sockets?.listen,
    threadNumber: options.threadNumber,
    withoutAdmin: options.withoutAdmin,
  }
}

const metricsOf = (all: readonly Counted[]): Metrics => mergedMetrics(all.map(({ metrics }) => metrics))

type ReadyIdentity = Pick<Identity, 'certificate' | 'trust' | 'onChange' | 'whenReady' | 'close'>

function identityOf(settings: ProxySettings, { certificates, roots, bearer, clock = systemClock, log = () => undefined }: ProxyOptions): ReadyIdentity {
  if (certificates !== undefined) return { ...givenIdentity(certificates), whenReady: Promise.resolve(), close() {} }
  const { trustDomain, namespace, serviceAccount, discoveryPlaintext, caAddress, discoveryAddress, token, certificateLifetime } = settings
  return openIdentity({
    id: { trustDomain, namespace, serviceAccount },
    ca: {
      address: caAddress === '' ? addressOf(discoveryAddress, 'discoveryAddress') : addressOf(caAddress, 'caAddress'),
      tls: discoveryPlaintext ? undefined : { roots, serverName: '' },
    },
    bearer: bearer ?? (() => token),
    lifetimeMs: certificateLifetime,
    clock, log,
  })
}

function addressOf(text: string, setting: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new MeshError('proxy/settings', `${setting}: ${JSON.stringify(text)} is not HOST:PORT`)
  return address
}

/** As endpoints have it: all three parts, empty or not. */
function localityOf({ locality }: ProxySettings): string {
  const [region = '', zone = '', subzone = ''] = locality.split('/')
  return region === '' ? '' : `${region}/${zone}/${subzone}`
}

function auditLines(counts: AuditCounts | undefined): readonly StatLine[] {
  return counts === undefined ? [] : [{ name: 'audit.written', value: counts.written }, { name: 'audit.lost', value: counts.lost }]
}

const standardOutputs: ReadonlySet<string> = new Set(['/dev/stdout', '/dev/stderr'])

/** Several proxies of one process tell their lines apart by who gets them. */
function sinksOf(files: LogFiles, { standardOutput }: ProxyOptions): LogSinks {
  if (standardOutput === undefined) return files
  return { open: (path) => (standardOutputs.has(path) ? (line) => standardOutput(line.trimEnd()) : files.open(path)) }
}
