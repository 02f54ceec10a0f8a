// The whole mesh on this machine, from files: the control plane with its CA, and what runs beside it (units.ts). The same
// parts as in a cluster, over real sockets with real mutual TLS, in one process and without privileges.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { startControl } from '../../control/main.ts'
import type { ControlPlane, LogLevel } from '../../control/main.ts'
import { controlSettings } from '../../control/settings.ts'
import { filesOnce } from '../../sources/files/read.ts'
import { watchFiles } from '../../sources/files/watch.ts'
import type { MergedWorld, Readiness } from '../../sources/merge.ts'
import type { Source } from '../../sources/source.ts'
import type { AuditLog } from '../../telemetry/audit/audit-log.ts'
import { openAudit } from '../audit.ts'
import { announce } from '../running.ts'
import type { GatewayPlacement } from './gateway-places.ts'
import { startGuard } from './guard.ts'
import { withGateways } from './implied-gateways.ts'
import type { RunLog } from './log.ts'
import { withOwnAddresses } from './netns/addresses.ts'
import { Networks } from './netns.ts'
import type { MeshGateway, MeshProcess } from './shown.ts'
import { MeshUnits } from './units.ts'

export interface MeshOptions {
  /** Files and folders. */
  readonly files: readonly string[]
  /** Follow what happens to them. */
  readonly watch: boolean
  readonly gateways: GatewayPlacement
  /** `netns`: each Process in a network of its own, and all its traffic through its sidecar. */
  readonly capture: CaptureMode
  /** Where the CA keeps its root. */
  readonly stateDir: string
  /** A file, or `none`; without it, none. */
  readonly auditLog?: string
  readonly log: RunLog
  /** Also what is only good to know. */
  readonly verbose: boolean
  accessLog(proxy: string, line: string): void
}

/** How traffic comes to the sidecars: by what programs find in their environment, or all of it, by the kernel. */
export const captureModes = ['env', 'netns'] as const
export type CaptureMode = (typeof captureModes)[number]

export interface Mesh {
  /** Resolves when every process takes requests, every gateway listens, and all proxies know; false when the time is over. */
  ready(timeoutMs: number): Promise<boolean>
  /** What `ready` waits for, in words; empty when it is. */
  readonly missing: readonly string[]
  readonly processes: readonly MeshProcess[]
  readonly gateways: readonly MeshGateway[]
  readonly control: ControlPlane
  /** What a command begins with that shall reach the processes where they listen, as a stranger: nothing, or nsenter. */
  readonly entering: readonly string[]
  /** How often the files have changed. */
  readonly edits: number
  /** Resolves when the files have changed once more than `edits` and every proxy has what they say; false when the time is over. */
  settled(edits: number, timeoutMs: number): Promise<boolean>
  stop(): Promise<void>
}

/** `~/.local/state/trysail`, or where XDG says. */
export function defaultStateDir(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'trysail')
}

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const mesh = new LocalMesh(options)
  try {
    await mesh.start()
    return mesh
  } catch (error) {
    await mesh.stop()
    throw error
  }
}

class LocalMesh implements Mesh {
  readonly #options: MeshOptions
  readonly #guard = startGuard()
  readonly #announcement = announce()
  readonly #readiness = new Map<string, boolean>()
  readonly #waiters = new Set<() => void>()
  #audit: AuditLog | undefined
  #control: ControlPlane | undefined
  #units: MeshUnits | undefined
  #networks: Networks | undefined
  #edits = 0
  /** The newest push when the files changed last. */
  #pushedBefore = 0
  /** Worlds that came before there were units. */
  #world: MergedWorld | undefined
  #stopped = false

  constructor(options: MeshOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { files, watch, stateDir, auditLog = 'none', log, capture } = this.#options
    const source = this.#watched(withGateways(watch ? watchFiles(files) : filesOnce(files)))
    const audit = this.#audit = openAudit(auditLog, (line) => log.warn('audit', line))
    if (capture === 'netns') this.#networks = await Networks.open({ env: process.env, control: () => this.#control?.xds, guard: this.#guard })
    const noV6 = this.#networks?.noV6
    if (noV6 !== undefined) log.say('mesh', `workloads have no IPv6 here, addresses of IPv4 only (${noV6})`)
    const control = await startControl(controlSettings({ stateDir, xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
      sources: [capture === 'netns' ? withOwnAddresses(source) : source],
      dualStack: this.#networks !== undefined && noV6 === undefined,
      // People in front of a terminal want to see requests; a MeshConfig of their own decides otherwise.
      meshDefaults: { accessLogFile: '/dev/stdout' },
      log: (level, line) => this.#say(level, line),
      readiness: this.#ready(),
      onWorld: (world) => this.#follow(world),
      ...(audit === undefined ? {} : { audit: audit.writer('control'), auditCounts: () => audit.stats }),
    })
    this.#control = control
    this.#units = new MeshUnits({
      control,
      trustDomain: control.trustDomain,
      placement: this.#options.gateways,
      log: this.#options.log,
      guard: this.#guard,
      networks: this.#networks,
      inheritedEnv: process.env,
      accessLog: (proxy, line) => this.#options.accessLog(proxy, line),
      audit: (source) => audit?.writer(source),
      onReadiness: (key, ready) => this.#onReadiness(key, ready),
      onChange: () => this.#onChange(),
    })
    if (this.#world !== undefined) this.#follow(this.#world)
  }

  get control(): ControlPlane {
    return this.#control!
  }

  get processes(): readonly MeshProcess[] {
    return this.#units?.processes ?? []
  }

  get gateways(): readonly MeshGateway[] {
    return this.#units?.gateways ?? []
  }

  get entering(): readonly string[] {
    return this.#networks?.entering ?? []
  }

  get edits(): number {
    return this.#edits
  }

  get missing(): readonly string[] {
    return this.#units?.missing ?? ['the control plane']
  }

  /** Pushes come for other reasons too: the one after the edit counts. */
  async settled(edits: number, timeoutMs: number): Promise<boolean> {
    const end = Date.now() + timeoutMs
    const { board } = this.control.state
    return (await this.#once(() => this.#edits > edits, timeoutMs)) && (await board.waitFor(this.#pushedBefore + 1, end - Date.now())).complete && (await this.control.settle(end - Date.now()))
  }

  async ready(timeoutMs: number): Promise<boolean> {
    const end = Date.now() + timeoutMs
    // Whoever is ready is also known to be so by all.
    return (await this.#once(() => this.missing.length === 0, timeoutMs)) && (await this.control.settle(end - Date.now()))
  }

  /** False when the time is over, or the mesh ends. */
  #once(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (met: boolean): void => {
        clearTimeout(timer)
        this.#waiters.delete(check)
        resolve(met)
      }
      const check = (): void => {
        if (this.#stopped) finish(false)
        else if (condition()) finish(true)
      }
      const timer = setTimeout(finish, timeoutMs, false)
      this.#waiters.add(check)
      check()
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    try {
      await this.#units?.stop()
      await this.#networks?.close()
      await this.#control?.close()
      await this.#audit?.close()
    } finally {
      this.#guard.close()
      this.#announcement.remove()
    }
  }

  /** Nobody sends to a process before it can take requests. */
  #ready(): Readiness {
    const now = new Map(this.#readiness)
    return { get: (key) => now.get(key) ?? false }
  }

  #watched(source: Source): Source {
    return {
      start: (onChange) => source.start((urgency) => {
        this.#pushedBefore = this.#control?.state.board.generation ?? 0
        this.#edits++
        onChange(urgency)
        this.#wake()
      }),
      current: () => source.current(),
      close: () => source.close(),
    }
  }

  #follow(world: MergedWorld): void {
    this.#world = world
    this.#units?.follow(world)
  }

  #onReadiness(key: string, ready: boolean): void {
    if (this.#readiness.get(key) === ready) return
    this.#readiness.set(key, ready)
    this.#control?.setReadiness(this.#ready())
    this.#wake()
  }

  #onChange(): void {
    const proxies = this.#units!.proxies.map(({ wanted, adminPort }) => ({
      name: wanted.name, namespace: wanted.namespace, admin: { host: '127.0.0.1', port: adminPort },
    }))
    this.#announcement.update({ debug: this.control.debug, proxies })
    this.#wake()
  }

  #wake(): void {
    for (const check of this.#waiters) check()
  }

  #say(level: LogLevel, line: string): void {
    const { log, verbose } = this.#options
    if (level === 'error' || level === 'warning') log.warn('mesh', line)
    else if (verbose) log.say('mesh', line)
  }
}
