// The control plane from start to end: sources become a world, a world becomes a snapshot, connected proxies get what
// changed for them; beside it the CA, and pages for people. Several may run in one process: nothing here is global.
import { hostname, networkInterfaces } from 'node:os'
import type { Clock } from '../lib/clock.ts'
import { MeshError, spawn } from '../lib/errors.ts'
import { systemClock } from '../lib/clock.ts'
import type { Address } from '../model/address.ts'
import { formatAddress } from '../model/address.ts'
import { formatPath } from '../model/resource.ts'
import type { Service } from '../model/service.ts'
import type { SpiffeId } from '../model/spiffe-id.ts'
import { everybodyKnowsMs } from '../xds/leaving.ts'
import { WorldMerger } from '../sources/merge.ts'
import type { MergedWorld, Readiness } from '../sources/merge.ts'
import type { Source, SourceIssue } from '../sources/source.ts'
import type { AuditCounts, WriteAudit } from '../telemetry/audit/events.ts'
import { openCa } from './ca/ca.ts'
import { caSecret } from './ca/secret.ts'
import type { ServerCertificate } from './ca/server-certificate.ts'
import { caFolder } from './ca/signing.ts'
import { createBootstrapTokens } from './ca/tokens.ts'
import { openWorkloadTokens } from './ca/workload-tokens.ts'
import type { WorkloadTokens } from './ca/workload-tokens.ts'
import { ConfigAudit } from './config-audit.ts'
import { KeyFiles, readRoots } from './jwks/key-files.ts'
import { KeyStore } from './jwks/key-store.ts'
import { keySourcesOf } from './jwks/wanted.ts'
import { meshSettings } from './mesh-settings.ts'
import { Debounce } from './push.ts'
import type { Urgency } from './push.ts'
import { registrationFile } from './registration/registration-file.ts'
import { Registrations } from './registration/registrations.ts'
import { adsMethods } from './serve/ads.ts'
import { certificateService } from './serve/ca.ts'
import { startDebugServer } from './serve/debug.ts'
import type { DebugServer } from './serve/debug.ts'
import type { ConnectingNode } from './serve/resource-source.ts'
import { startGrpcServer } from './serve/grpc.ts'
import type { GrpcServer } from './serve/grpc.ts'
import { worldSource } from './serve/world-source.ts'
import type { ControlSettings } from './settings.ts'
import type { MeshTrust } from './snapshot.ts'
import type { MeshConfigSpec } from './specs.ts'
import { Withdrawals } from './withdrawals.ts'
import { WorldState } from './world-state.ts'

/** How much a line of the log matters. */
export type LogLevel = 'error' | 'warning' | 'info' | 'debug'

export interface ControlParts {
  readonly sources: readonly Source[]
  readonly log: (level: LogLevel, line: string) => void
  /** Where no MeshConfig says anything: settings that fit where this control plane runs. */
  readonly meshDefaults?: MeshConfigSpec
  readonly clock?: Clock
  /** Processes have addresses of IPv6 too. */
  readonly dualStack?: boolean
  /** Which Processes take traffic at first. Without it, all. */
  readonly readiness?: Readiness
  /** Every new world, right before it is pushed. */
  readonly onWorld?: (world: MergedWorld) => void
  /** Where it is written down who joined, who got which certificate, and what operators changed. */
  readonly audit?: WriteAudit
  readonly auditCounts?: () => AuditCounts
}

export interface ControlPlane extends AsyncDisposable {
  readonly state: WorldState
  readonly trustDomain: string
  /** xDS and CA over TLS, xDS without it on loopback, debug pages. */
  readonly xds: Address
  readonly plaintext: Address
  readonly debug: Address
  /** PEM: the roots of the CA. */
  readonly roots: string
  /** With it, a proxy of this identity gets its first certificate within `tokenLifetimeMs`. */
  bootstrapToken(identity: SpiffeId): string
  /** Which Processes take traffic, by `namespace/name`; the endpoints follow at once. */
  setReadiness(ready: Readiness): void
  /** Pushes what waits, and resolves when every connected proxy runs it and no port is between two peer modes; false when the time is over. */
  settle(timeoutMs: number): Promise<boolean>
  close(): Promise<void>
}

/** From making a token to using it: a program's start, not a day. */
const tokenLifetimeMs = 600_000

/** How long a push waits for issuers of tokens that no push named before. */
const newIssuerMs = 1000

export async function startControl(settings: ControlSettings, parts: ControlParts): Promise<ControlPlane> {
  const worlds = new Worlds(settings, parts)
  try {
    await worlds.start()
    return await serve(settings, parts, worlds)
  } catch (error) {
    await worlds.close()
    throw error
  }
}

async function serve(settings: ControlSettings, parts: ControlParts, worlds: Worlds): Promise<ControlPlane> {
  const { state } = worlds
  const { clock = systemClock } = parts
  const { stateDir, caDir, certificateLifetime } = settings
  const { trustDomain } = state.snapshot.mesh
  const log = (line: string): void => parts.log('info', line)
  const ca = await openCa({ stateDir, given: caDir === '' ? caSecret(() => state.snapshot) : caFolder(caDir, 'any'), trustDomain, lifetimeMs: certificateLifetime, clock, log })
  worlds.setTrust(ca)
  ca.onChange(() => worlds.setTrust(ca))
  const tokens = await createBootstrapTokens({ stateDir, clock })
  const certificate = ca.serverCertificate(reachedAs(settings.address))
  const methods = [...adsMethods(worldSource(state), { log, audit: parts.audit, register: (caller, node) => worlds.registrations.join(caller, node), missingKeys: (sources) => worlds.missingKeys(sources), presence: worlds }), certificateService({ ca, tokens, workloadTokens: await workloadTokensOf(settings, trustDomain, clock), log, audit: parts.audit })]
  const servers = await openServers(settings, methods, certificate, state, parts)
  const close = async (): Promise<void> => {
    worlds.registrations.end()
    await Promise.all([servers.grpc.close(), servers.debug.close()])
    certificate.close()
    ca.close()
    await worlds.close()
  }
  return {
    state, trustDomain,
    xds: servers.grpc.tlsAddress!,
    plaintext: servers.grpc.plaintextAddress!,
    debug: { host: '127.0.0.1', port: servers.debug.port },
    get roots() {
      return ca.roots
    },
    bootstrapToken: (identity) => tokens.create(identity, tokenLifetimeMs),
    setReadiness: (ready) => worlds.setReadiness(ready),
    settle: (timeoutMs) => worlds.settle(timeoutMs),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A platform is known by its issuer and its keys: one without the other is a mistake. */
async function workloadTokensOf({ tokenIssuer, tokenKeysFile, tokenAudiences }: ControlSettings, trustDomain: string, clock: Clock): Promise<WorkloadTokens | undefined> {
  if (tokenIssuer === '' && tokenKeysFile === '') return undefined
  if (tokenIssuer === '' || tokenKeysFile === '') throw new MeshError('control/settings', 'tokenIssuer and tokenKeysFile belong together: give both, or none')
  const audiences = tokenAudiences.split(',').map((one) => one.trim()).filter((one) => one !== '')
  return await openWorkloadTokens({ issuer: tokenIssuer, keysFile: tokenKeysFile, audiences, trustDomain, clock })
}

/** The names that other hosts may dial it by: on all addresses, those of this machine and its name. */
function reachedAs(address: string): { readonly addresses: readonly string[]; readonly dnsNames: readonly string[] } {
  if (address !== '0.0.0.0' && address !== '::') return { addresses: [address], dnsNames: [] }
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((one) => one.address))
  return { addresses: own.filter((one) => !one.includes('%') && !one.startsWith('fe80:')), dnsNames: [hostname()] }
}

type Methods = Parameters<typeof startGrpcServer>[0]['methods']

async function openServers(settings: ControlSettings, methods: Methods, identity: ServerCertificate, state: WorldState, parts: ControlParts): Promise<{ grpc: GrpcServer; debug: DebugServer }> {
  const { clock = systemClock } = parts
  const grpc = await startGrpcServer({
    methods, clock,
    tls: { address: { host: settings.address, port: settings.xdsPort }, identity },
    plaintextPort: settings.plaintextPort,
    log: (line) => parts.log('info', line),
    onRefused: (from, reason) => parts.audit?.({ event: 'proxy-refused', client: { address: formatAddress(from), identity: '' }, node: '', reason }),
  })
  try {
    return { grpc, debug: await startDebugServer(state, settings.debugPort, parts.auditCounts) }
  } catch (error) {
    await grpc.close()
    throw error
  }
}

/** Of what a proxy says of its application, what goes into the log. */
const maxProblemLength = 500

/** From the sources to the state: merges, says what is wrong, and pushes after a quiet time. */
class Worlds {
  readonly state: WorldState
  readonly registrations: Registrations
  readonly #withdrawals: Withdrawals
  readonly #settings: ControlSettings
  readonly #parts: ControlParts
  readonly #merger: WorldMerger
  readonly #debounce: Debounce
  #ready: Readiness
  readonly #audit: ConfigAudit | undefined
  #keys: KeyStore | undefined = undefined
  #trust: MeshTrust | undefined = undefined
  /** A push that gives issuers of tokens a moment to answer for the first time. */
  #waiting: Promise<void> | undefined = undefined
  #closed = false
  /** What has been said about the resources as they are. */
  #said = new Set<string>()

  constructor(settings: ControlSettings, parts: ControlParts) {
    const { clock = systemClock } = parts
    this.#settings = settings
    this.#parts = parts
    this.#ready = parts.readiness ?? new Map()
    this.state = new WorldState(clock, { inSteps: true })
    this.#audit = parts.audit === undefined ? undefined : new ConfigAudit(parts.audit)
    this.#merger = new WorldMerger({ domain: settings.domain, dualStack: parts.dualStack ?? false })
    const times = { filesQuietMs: settings.filesQuiet, registryQuietMs: settings.registryQuiet, ceilingMs: settings.pushCeiling }
    this.#debounce = new Debounce(() => this.#push(), times, clock)
    this.#withdrawals = new Withdrawals(() => this.#debounce.changed('endpoints'))
    this.registrations = new Registrations({
      clock, graceMs: settings.workloadGrace, log: (line) => parts.log('info', line), onChange: () => this.#debounce.changed('files'), // many join at once after a restart
      store: registrationFile(settings.stateDir),
    })
  }

  async start(): Promise<void> {
    const { jwksRefresh, jwksRootsFile, stateDir } = this.#settings
    const { clock = systemClock, log } = this.#parts
    this.#keys = new KeyStore({
      clock, refreshMs: jwksRefresh, files: new KeyFiles(stateDir), log: (line) => log('warning', line), onChange: () => this.#debounce.changed('files'),
      ...(jwksRootsFile === '' ? {} : { roots: await readRoots(jwksRootsFile) }),
    })
    await Promise.all(this.#parts.sources.map((source) => source.start((urgency: Urgency) => this.#debounce.changed(urgency))))
    await this.registrations.restore()
    this.#push()
    await this.#waiting
  }

  setReadiness(ready: Readiness): void {
    this.#ready = ready
    if (this.state.ready) this.#debounce.changed('endpoints')
  }

  joined(node: ConnectingNode): void {
    this.#withdrawals.joined(node)
  }

  report(node: ConnectingNode, problem: string | undefined): void {
    if (!this.#withdrawals.report(node, problem === undefined)) return
    this.#parts.log('info', problem === undefined ? `${node.id} takes requests` : `${node.id} is sent no requests: ${problem.slice(0, maxProblemLength)}`)
  }

  async leave(node: ConnectingNode): Promise<void> {
    this.#withdrawals.leave(node)
    this.#debounce.flush()
    await this.#waiting
    await this.state.board.waitFor(this.state.board.generation, everybodyKnowsMs)
  }

  /** Whom the mesh trusts: told to every proxy. */
  setTrust({ roots, crl }: MeshTrust): void {
    this.#trust = { roots, crl }
    this.#debounce.changed('files')
    // It is rare, and nobody waits for files.
    this.#debounce.flush()
  }

  /** Of tokens that proxies were shown. */
  missingKeys(sources: readonly string[]): void {
    for (const source of sources) this.#keys?.missing(source)
  }

  async settle(timeoutMs: number): Promise<boolean> {
    this.#debounce.flush()
    await this.#waiting
    const { board } = this.state
    const { clock = systemClock } = this.#parts
    const end = clock.now() + timeoutMs
    await Promise.race([this.state.modesSettled(), new Promise<void>((resolve) => void clock.after(timeoutMs, resolve))])
    return (await board.waitFor(board.generation, Math.max(0, end - clock.now()))).complete
  }

  async close(): Promise<void> {
    this.#closed = true
    this.state.close()
    this.#debounce.close()
    await this.registrations.close()
    this.#keys?.close()
    await this.#waiting
    await Promise.all(this.#parts.sources.map((source) => source.close()))
  }

  #push(): void {
    const world = this.#merge()
    const tried = this.#keys?.want(keySourcesOf(world.resources))
    if (tried === undefined && this.#waiting === undefined) this.#update(world)
    else spawn('a push that waits for keys', (this.#waiting ??= this.#updateWhen(tried)))
  }

  #merge(): MergedWorld {
    const states = this.#parts.sources.map((source) => source.current())
    const registered = this.registrations.entries(states)
    return this.#merger.merge(registered.resources.length === 0 ? states : [...states, registered], this.#ready)
  }

  /** A policy whose issuer answers at once never refuses its tokens; one whose issuer does not waits for nobody else's sake. */
  async #updateWhen(tried: Promise<unknown> | undefined): Promise<void> {
    const { clock = systemClock } = this.#parts
    await Promise.race([tried, new Promise<void>((resolve) => void clock.after(newIssuerMs, resolve))])
    this.#waiting = undefined
    if (!this.#closed) this.#update(this.#merge())
  }

  #update(world: MergedWorld): void {
    // Before anybody acts on it, and also when what follows fails.
    this.#say(world.issues)
    this.#parts.onWorld?.(world)
    const { domain, trustDomain } = this.#settings
    const config = { ...this.#parts.meshDefaults, ...definedFields(world.meshConfig) }
    const { resources, services, workloads } = world
    const endpoints = this.#withdrawals.apply(world.endpoints)
    const mesh = meshSettings(config, domain, trustDomain)
    this.state.update({ resources, services, workloads, endpoints, mesh, keySets: this.#keys?.current, trust: this.#trust }, world.issues, world.held)
    this.#audit?.follow({ resources: this.state.snapshot.resources, services: ofNoResource(services), meshConfig: world.meshConfig }, this.state.snapshot.generation)
    const held = this.state.board.resources.flatMap(({ key, state, earlier, errors }) => (state === 'held' && earlier ? errors.map((error) => `${key} is held at its last good version: ${error}`) : []))
    this.#say([...this.state.findings, ...held])
    this.#forget([...world.issues, ...this.state.findings, ...held])
  }

  /** What is not so any more is said again when it comes back. */
  #forget(stillSo: readonly (SourceIssue | string)[]): void {
    this.#said = new Set(stillSo.map(lineOf))
  }

  /** Each finding once, until it has gone and come back. */
  #say(found: readonly (SourceIssue | string)[]): void {
    for (const one of found) {
      const line = lineOf(one)
      if (this.#said.has(line)) continue
      this.#said.add(line)
      this.#parts.log(typeof one === 'string' || one.severity === 'error' ? 'error' : 'warning', line)
    }
  }
}

/** A ServiceEntry is among the resources itself. */
const ofNoResource = (services: readonly Service[]): readonly Service[] => services.filter(({ registry }) => registry !== 'External')

const lineOf = (one: SourceIssue | string): string => (typeof one === 'string' ? one : sentence(one))

/** `file:line:column: VirtualService/default/reviews: spec.http[0].route: message`. */
function sentence({ origin, resource, path, message }: SourceIssue): string {
  const about = [resource, formatPath(path)].filter((part) => part !== '').join(': ')
  return `${origin.file}:${origin.line}:${origin.column}: ${about === '' ? '' : `${about}: `}${message}`
}

function definedFields<Value extends object>(value: Value | undefined): Partial<Value> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, field]) => field !== undefined)) as Partial<Value>
}
