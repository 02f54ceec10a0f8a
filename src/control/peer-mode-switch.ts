// A port goes from mutual TLS to plaintext, or back, in steps: first it takes both, then its clients change, then it refuses
// what it took before. Without that, clients and ports hear of it one after the other, and what comes in between fails. Each
// step waits for all proxies, but not for long: a proxy that does not answer must not keep a port open that is to be STRICT.
import type { Clock } from '../lib/clock.ts'
import { spawn } from '../lib/errors.ts'
import type { PeerAuthenticationIndex, PeerMode } from './snapshot/peer-authentication.ts'

/** Who says what is in force: `target` what operators wrote, the others what somebody may still go by. */
export interface PeerModes {
  readonly target: PeerAuthenticationIndex
  /** What clients are told. */
  readonly clients: PeerAuthenticationIndex
  /** What clients may go by who have not heard yet. */
  readonly others: readonly PeerAuthenticationIndex[]
}

export const settledModes = (target: PeerAuthenticationIndex): PeerModes => ({ target, clients: target, others: [] })

type Peer = Parameters<PeerAuthenticationIndex['modeOf']>[0]

/** What a port takes: both, while clients may come either way. */
export function serverMode({ target, clients, others }: PeerModes, peer: Peer, port?: number): PeerMode {
  const mode = target.modeOf(peer, port)
  if (clients === target && others.length === 0) return mode
  const plain = mode === 'DISABLE'
  return [clients, ...others].some((one) => (one.modeOf(peer, port) === 'DISABLE') !== plain) ? 'PERMISSIVE' : mode
}

/** Ports with a mode of their own, now or a moment ago. */
export function namedPorts({ target, clients, others }: PeerModes, peer: Peer): readonly number[] {
  return [...new Set([target, clients, ...others].flatMap((one) => one.namedPorts(peer)))]
}

/** At most this long a step waits for proxies: after two of them, 10 s, a port that is STRICT is closed to plaintext, whoever is missing. */
export const stepMs = 5000
/** After the last proxy said that it has a step: connections that were begun before arrive, also at busy machines. */
export const quietMs = 500

export interface ModeSwitchOptions {
  readonly clock: Clock
  /** Resolves when every connected proxy runs a push, or when the time is over. */
  readonly waitFor: (generation: number, timeoutMs: number) => Promise<{ readonly complete: boolean; readonly total: number }>
  /** A step is due: push again. */
  readonly onStep: () => void
}

export class ModeSwitch {
  readonly #options: ModeSwitchOptions
  #modes: PeerModes | undefined
  /** Until when each of the others counts; and until when clients are told what is not the target. */
  readonly #until = new Map<PeerAuthenticationIndex, number>()
  #tellBy = Infinity
  #turn = 0
  #waiting: Promise<void> = Promise.resolve()

  constructor(options: ModeSwitchOptions) {
    this.#options = options
  }

  /** Of the policies of the next push. */
  modesFor(target: PeerAuthenticationIndex): PeerModes {
    const before = this.#modes
    if (before === undefined || before.target === target) return (this.#modes ??= settledModes(target))
    const { clients, others } = before
    // Where no port is for plaintext alone, nobody has to change.
    if (![target, clients, ...others].some((one) => one.disables)) return this.#settle(target)
    if (this.#tellBy === Infinity) this.#tellBy = this.#options.clock.now() + stepMs
    return (this.#modes = { target, clients, others })
  }

  /** A push with these modes is on its way. */
  follow(generation: number): void {
    if (!this.busy) return
    spawn('a switch of peer modes', (this.#waiting = this.#wait(generation, ++this.#turn)))
  }

  get busy(): boolean {
    return this.#modes !== undefined && (this.#modes.clients !== this.#modes.target || this.#modes.others.length > 0)
  }

  /** Resolves when nothing is between two modes. */
  async settled(): Promise<void> {
    while (this.busy) await this.#waiting
  }

  close(): void {
    this.#turn++
    if (this.#modes !== undefined) this.#settle(this.#modes.target)
  }

  async #wait(generation: number, turn: number): Promise<void> {
    const { clock, waitFor, onStep } = this.#options
    const until = Math.min(this.#tellBy, ...this.#until.values())
    const { complete, total } = await waitFor(generation, Math.max(0, until - clock.now()))
    if (complete && total > 0) await new Promise<void>((resolve) => void clock.after(Math.min(quietMs, Math.max(0, until - clock.now())), resolve))
    if (turn !== this.#turn || !this.busy) return
    this.#advance(complete, complete ? clock.now() : Math.max(clock.now(), until))
    onStep()
  }

  #advance(complete: boolean, now: number): void {
    const { target, clients, others } = this.#modes!
    const left = others.filter((one) => !complete && this.#until.get(one)! > now)
    for (const one of others) if (!left.includes(one)) this.#until.delete(one)
    const tell = clients !== target && (complete || now >= this.#tellBy)
    if (tell) {
      this.#tellBy = Infinity
      this.#until.set(clients, now + stepMs)
    }
    this.#modes = { target, clients: tell ? target : clients, others: tell ? [...left, clients] : left }
  }

  #settle(target: PeerAuthenticationIndex): PeerModes {
    this.#until.clear()
    this.#tellBy = Infinity
    return (this.#modes = settledModes(target))
  }
}
