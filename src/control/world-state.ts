// The control plane's state: takes worlds from the sources, makes each into a snapshot, and gives connected proxies their
// resources from the newest one. What carries them to the proxies is serve/'s business.
import type { Clock } from '../lib/clock.ts'
import { systemClock } from '../lib/clock.ts'
import { MeshError } from '../lib/errors.ts'
import { meshSettings } from './mesh-settings.ts'
import { ModeSwitch, settledModes } from './peer-mode-switch.ts'
import { createSnapshot, internResources } from './snapshot.ts'
import type { Snapshot, World } from './snapshot.ts'
import { Admission } from './status/admission.ts'
import type { ResourceIssue } from './status/admission.ts'
import { StatusBoard } from './status/board.ts'
import { attachmentIssues } from './status/attachment-issues.ts'
import { authorizationIssues } from './status/authorization-issues.ts'
import { gatewayIssues } from './status/gateway-issues.ts'
import { peerAuthenticationIssues } from './status/peer-authentication-issues.ts'
import type { ProxyRecord } from './status/proxies.ts'
import { isAffected } from './translate/affected.ts'
import { readProxyNode } from './translate/proxy-node.ts'
import type { NodeLike, ProxyNode } from './translate/proxy-node.ts'
import { ProxyResources } from './translate/proxy-resources.ts'
import { typeNameOf } from './translate/table.ts'
import type { TypeName } from './translate/table.ts'
import { BuildCache } from './translate/translator.ts'
import type { Built } from './translate/translator.ts'

/** One connected proxy's window on the newest snapshot. */
export class ProxySession {
  readonly node: ProxyNode
  readonly record: ProxyRecord
  readonly #state: WorldState
  readonly #resources: ProxyResources

  constructor(state: WorldState, node: ProxyNode, record: ProxyRecord, resources: ProxyResources) {
    this.#state = state
    this.node = node
    this.record = record
    this.#resources = resources
  }

  get generation(): number {
    return this.#state.snapshot.generation
  }

  /** All resources of a type; empty for types that are not served. */
  all(typeUrl: string): readonly Built[] {
    return this.lists(typeUrl).flat()
  }

  /** The same in lists, one for each translator: until something in one of them changes it is the same object. */
  lists(typeUrl: string): readonly (readonly Built[])[] {
    const type = typeNameOf(typeUrl)
    return type === undefined ? [] : this.#resources.lists(type, this.#state.snapshot)
  }

  get(typeUrl: string, name: string): Built | undefined {
    const type = typeNameOf(typeUrl)
    return type === undefined ? undefined : this.#resources.get(type, name, this.#state.snapshot)
  }

  close(): void {
    this.#state.board.disconnect(this.record)
  }
}

/** Kinds whose changes can show in them. */
const findingKinds = ['AuthorizationPolicy', 'Gateway', 'MeshConfig', 'PeerAuthentication', 'RequestAuthentication', 'Secret', 'Service', 'Workload']

export type PushListener = (snapshot: Snapshot) => void

export class WorldState {
  readonly board: StatusBoard
  readonly #admission = new Admission()
  readonly #cache = new BuildCache()
  readonly #listeners = new Set<PushListener>()
  readonly #modeSwitch: ModeSwitch | undefined
  #snapshot: Snapshot | undefined
  #last: Parameters<WorldState['update']> | undefined
  /** About the world as a whole, as of the newest snapshot. */
  findings: readonly ResourceIssue[] = []

  /** `inSteps`: peer modes change so that no connection fails on the way (peer-mode-switch.ts). */
  constructor(clock: Clock = systemClock, { inSteps = false }: { readonly inSteps?: boolean } = {}) {
    this.board = new StatusBoard(clock)
    if (inSteps) this.#modeSwitch = new ModeSwitch({ clock, waitFor: (generation, timeoutMs) => this.board.waitFor(generation, timeoutMs), onStep: () => void this.update(...this.#last!) })
  }

  /** Whether any world has arrived: before that, nothing is served. */
  get ready(): boolean {
    return this.#snapshot !== undefined
  }

  get snapshot(): Snapshot {
    if (this.#snapshot === undefined) throw new MeshError('control/not-ready', 'no source has delivered yet')
    return this.#snapshot
  }

  get builds(): number {
    return this.#cache.builds
  }

  #findings(snapshot: Snapshot): readonly ResourceIssue[] {
    if (!findingKinds.some((kind) => snapshot.changed.has(kind))) return this.findings
    const routers = [...this.board.proxies.values()].map(({ node }) => node).filter(({ type }) => type === 'router')
    this.findings = [...gatewayIssues(snapshot, routers), ...peerAuthenticationIssues(snapshot), ...authorizationIssues(snapshot), ...attachmentIssues(snapshot, routers)]
    return this.findings
  }

  /** Makes the next snapshot and tells the listeners. Nothing happens when nothing changed. */
  update(world: World, issues: readonly ResourceIssue[] = [], heldBySource: ReadonlySet<string> = new Set()): Snapshot {
    this.#last = [world, issues, heldBySource]
    const before = this.#snapshot
    const resources = internResources(before?.written ?? [], world.resources)
    const admitted = this.#admission.admit(resources, world.mesh ?? meshSettings())
    const next = createSnapshot({ ...world, resources: admitted.resources }, before, resources, (target) => this.#modeSwitch?.modesFor(target) ?? settledModes(target))
    const unchanged = before !== undefined && next.changed.size === 0
    const used = unchanged ? before : next
    this.#snapshot = used
    this.board.begin(used.generation, used.resources, [...issues, ...admitted.problems, ...this.#findings(used)], new Set([...heldBySource, ...admitted.held]))
    if (unchanged) return used
    for (const listener of this.#listeners) listener(used)
    this.#modeSwitch?.follow(used.generation)
    return used
  }

  /** Resolves when no port is between two peer modes. */
  async modesSettled(): Promise<void> {
    await this.#modeSwitch?.settled()
  }

  close(): void {
    this.#modeSwitch?.close()
  }

  onPush(listener: PushListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  connect(node: NodeLike): ProxySession {
    const proxy = readProxyNode(node)
    const resources = new ProxyResources(proxy, this.#cache, (problem) => this.board.failed(problem))
    return new ProxySession(this, proxy, this.board.connect(proxy), resources)
  }

  affects(typeUrl: string, proxy: ProxyNode, snapshot: Snapshot): boolean {
    const type: TypeName | undefined = typeNameOf(typeUrl)
    return type !== undefined && isAffected(type, proxy.type, snapshot.changed)
  }
}
