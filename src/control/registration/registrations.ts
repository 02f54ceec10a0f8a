// Workloads that no registry knows register themselves by a WorkloadGroup, through their proxy's xDS stream (traffic spec 1.8,
// ops spec 6.8): for as long as it is connected, and a grace period, each is a WorkloadEntry of the world. Only an identity that
// a certificate proves may register, in its own namespace, as the service account that the group wants.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../lib/clock.ts'
import { describe, spawn } from '../../lib/errors.ts'
import { isIP } from '../../kinds/fields/host.ts'
import { isKind } from '../../kinds/table.ts'
import { parseSpiffeId } from '../../model/spiffe-id.ts'
import { emptyState } from '../../sources/source.ts'
import type { SourceState } from '../../sources/source.ts'
import type { ConnectingNode } from '../serve/resource-source.ts'
import { GrpcError, grpcStatus } from '../serve/rpc.ts'
import type { Caller, GrpcStatus } from '../serve/rpc.ts'
import { readProxyNode } from '../translate/proxy-node.ts'
import { entryName, entryOf, refusal } from './entry.ts'
import type { Health, Registrant, WorkloadEntry, WorkloadGroup } from './entry.ts'
import type { RegistrationStore } from './registration-file.ts'

export interface RegistrationOptions {
  readonly clock: Clock
  /** How long an entry stays when its proxy is gone: one that reconnects by then was never away. */
  readonly graceMs: number
  readonly log: (line: string) => void
  /** The entries are others now. */
  readonly onChange: () => void
  /** Where it is kept who has registered. */
  readonly store: RegistrationStore
}

/** One stream's part in an entry. */
export interface Registered {
  /** What the proxy says of its application; undefined: it is well. */
  report(problem: string | undefined): void
  leave(): void
}

/** As many as there may be connections of proxies. */
const maxRegistrations = 10_000

/** A proxy whose control plane was away tries again after 30 s at most; a certificate and a connection take their time too. */
const returnMs = 60_000

interface Registration {
  registrant: Registrant
  health: Health
  /** A proxy that reconnects may have two for a moment. */
  streams: number
  cancelRemoval: () => void
  /** Made of this group; remade when the group changes. */
  made: { readonly group: WorkloadGroup; readonly entry: WorkloadEntry | undefined } | undefined
}

const refuse = (status: GrpcStatus, message: string): GrpcError => new GrpcError(status, message)

export class Registrations {
  readonly #options: RegistrationOptions
  /** By namespace and name of the entry. */
  readonly #all = new Map<string, Registration>()
  #states: readonly SourceState[] = []
  #groups: ReadonlyMap<string, WorkloadGroup> = new Map()
  #current: SourceState | undefined = emptyState
  /** What is on its way to the disk; then whether that is old by now. */
  #saving: Promise<void> | undefined = undefined
  #unsaved = false
  #ended = false

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#all.size
  }

  /** The entries, given what all other sources have. The same state until something in it changes. */
  entries(states: readonly SourceState[]): SourceState {
    if (states.length !== this.#states.length || states.some((one, at) => one !== this.#states[at])) {
      this.#states = [...states]
      this.#groups = groupsIn(states)
      this.#current = undefined
    }
    return (this.#current ??= this.#state())
  }

  /** Undefined for a proxy that does not ask for it. Throws a GrpcError, or a MeshError for a node that cannot be read. */
  join(caller: Caller, node: ConnectingNode): Registered | undefined {
    const group = node.metadata?.['AUTO_REGISTER_GROUP']
    if (typeof group !== 'string' || group === '') return undefined
    try {
      const registrant = this.#registrant(caller, node, group)
      return this.#registered(`${registrant.namespace}/${entryName(registrant)}`, this.#admit(registrant))
    } catch (error) {
      if (error instanceof GrpcError) this.#options.log(`auto-registration: ${node.id} refused: ${error.message}`)
      throw error
    }
  }

  /** Before the first push: those of the control plane before this one stay as long as it takes them to come back. */
  async restore(): Promise<void> {
    for (const { health, ...registrant } of (await this.#options.store.read()).slice(0, maxRegistrations)) {
      const key = `${registrant.namespace}/${entryName(registrant)}`
      const cancelRemoval = this.#options.clock.after(Math.max(returnMs, this.#options.graceMs), () => this.#remove(key))
      this.#all.set(key, { registrant, health, streams: 0, cancelRemoval, made: undefined })
    }
    this.#current = undefined
  }

  /** Nobody leaves from now on: those that are here are kept for the next control plane. To be called before streams are closed. */
  end(): void {
    this.#ended = true
    for (const { cancelRemoval } of this.#all.values()) cancelRemoval()
  }

  async close(): Promise<void> {
    this.end()
    await this.#saving
  }

  /** Whom its certificate says it is; that the node says the same has been seen to. */
  #registrant({ encrypted, uris }: Caller, node: ConnectingNode, group: string): Registrant {
    const identity = encrypted ? parseSpiffeId(uris[0] ?? '') : undefined
    if (identity === undefined) throw refuse(grpcStatus.permissionDenied, `auto-registration by WorkloadGroup ${group} needs an identity: join over mutual TLS`)
    const { namespace, addresses: [address = ''], labels, locality, network } = readProxyNode(node)
    if (identity.namespace !== namespace) throw refuse(grpcStatus.permissionDenied, `a workload of namespace ${identity.namespace} may not register in ${namespace}`)
    if (!isIP(address)) throw refuse(grpcStatus.invalidArgument, `node ${node.id} has no IP address to register with`)
    return { namespace, group, address, labels, locality, network, serviceAccount: identity.serviceAccount }
  }

  #admit(registrant: Registrant): Registration {
    const { namespace, group: name, serviceAccount } = registrant
    const group = this.#groups.get(`${namespace}/${name}`)
    if (group === undefined) throw refuse(grpcStatus.failedPrecondition, `there is no WorkloadGroup ${name} in namespace ${namespace}`)
    const reason = refusal(group, registrant)
    if (reason !== undefined) throw refuse(grpcStatus.permissionDenied, `WorkloadGroup ${namespace}/${name}: ${reason}`)
    const known = this.#all.get(`${namespace}/${entryName(registrant)}`)
    if (known !== undefined && (known.registrant.serviceAccount !== serviceAccount || known.registrant.group !== name)) {
      throw refuse(grpcStatus.permissionDenied, `WorkloadEntry ${namespace}/${entryName(registrant)} is of the service account ${known.registrant.serviceAccount} in WorkloadGroup ${known.registrant.group}`)
    }
    return this.#kept(known, registrant, group)
  }

  /** A proxy that comes back as it was changes nothing. */
  #kept(known: Registration | undefined, registrant: Registrant, group: WorkloadGroup): Registration {
    if (known !== undefined && isDeepStrictEqual(known.registrant, registrant)) return known
    if (known === undefined && this.#all.size >= maxRegistrations) throw refuse(grpcStatus.resourceExhausted, `${maxRegistrations} workloads have registered themselves: no more are taken`)
    const health = known?.health
    const entry = entryOf(group, registrant, health)
    if (typeof entry === 'string') throw refuse(grpcStatus.invalidArgument, `WorkloadGroup ${registrant.namespace}/${registrant.group}: the entry would not be valid: ${entry}`)
    const registration = known ?? { registrant, health, streams: 0, cancelRemoval: () => undefined, made: undefined }
    registration.registrant = registrant
    registration.made = { group, entry }
    this.#all.set(`${registrant.namespace}/${entryName(registrant)}`, registration)
    this.#options.log(`auto-registration: ${registrant.address} is WorkloadEntry ${registrant.namespace}/${entryName(registrant)}`)
    this.#changed()
    this.#save()
    return registration
  }

  #registered(key: string, registration: Registration): Registered {
    registration.cancelRemoval()
    registration.streams++
    let here = true
    return {
      report: (problem) => {
        if (here) this.#report(key, registration, problem)
      },
      leave: () => {
        if (here && --registration.streams === 0 && !this.#ended) registration.cancelRemoval = this.#options.clock.after(this.#options.graceMs, () => this.#remove(key))
        here = false
      },
    }
  }

  #report(key: string, registration: Registration, problem: string | undefined): void {
    const health = problem === undefined ? 'healthy' : 'unhealthy'
    if (registration.health === health) return
    registration.health = health
    registration.made = undefined
    this.#options.log(`auto-registration: WorkloadEntry ${key} is ${health}${problem === undefined ? '' : `: ${problem.slice(0, maxProblemLength)}`}`)
    this.#changed()
    this.#save()
  }

  #remove(key: string): void {
    this.#all.delete(key)
    this.#options.log(`auto-registration: WorkloadEntry ${key} is gone: its proxy has left`)
    this.#changed()
    this.#save()
  }

  #changed(): void {
    this.#current = undefined
    this.#options.onChange()
  }

  /** One after the other; of what changes meanwhile only the last state. */
  #save(): void {
    this.#unsaved = true
    if (this.#saving === undefined) spawn('what has registered', (this.#saving = this.#saveAll()))
  }

  async #saveAll(): Promise<void> {
    while (this.#unsaved) {
      this.#unsaved = false
      try {
        await this.#options.store.write([...this.#all.values()].map(({ registrant, health }) => ({ ...registrant, health })))
      } catch (error) {
        this.#options.log(`auto-registration: who has registered is not kept for a restart: ${describe(error)}`)
      }
    }
    this.#saving = undefined
  }

  #state(): SourceState {
    if (this.#all.size === 0) return emptyState
    const resources = [...this.#all.values()].map((one) => this.#entry(one)).filter((one) => one !== undefined)
    return { ...emptyState, resources }
  }

  /** None for one whose group is gone, or does not take it any more. */
  #entry(registration: Registration): WorkloadEntry | undefined {
    const { registrant, health, made } = registration
    const group = this.#groups.get(`${registrant.namespace}/${registrant.group}`)
    if (group === undefined) return undefined
    if (made?.group === group) return made.entry
    const entry = refusal(group, registrant) ?? entryOf(group, registrant, health)
    if (typeof entry === 'string') this.#options.log(`auto-registration: ${registrant.address} is no workload of WorkloadGroup ${registrant.namespace}/${registrant.group} any more: ${entry}`)
    registration.made = { group, entry: typeof entry === 'string' ? undefined : entry }
    return registration.made.entry
  }
}

/** Of what a proxy says of its application, what goes into the log. */
const maxProblemLength = 500

/** The first source that has one decides, as everywhere. */
function groupsIn(states: readonly SourceState[]): ReadonlyMap<string, WorkloadGroup> {
  const groups = new Map<string, WorkloadGroup>()
  for (const { resources } of states) {
    for (const one of resources) {
      const key = `${one.metadata.namespace}/${one.metadata.name}`
      if (isKind(one, 'WorkloadGroup') && !groups.has(key)) groups.set(key, one)
    }
  }
  return groups
}
