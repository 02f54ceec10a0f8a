// The proxy of one workload as a process in its network: started, told who it is, asked about, started again when it breaks,
// ended. What it listens on beside its own network is its caller's to say.
import { spawn as spawnProcess } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Probe } from '../../../agent/probe/probe.ts'
import type { Clock } from '../../../lib/clock.ts'
import { describe, spawn } from '../../../lib/errors.ts'
import type { Address } from '../../../model/address.ts'
import { reservePort } from '../../../net/reserve-port.ts'
import { handleOf } from '../../../net/socket-options.ts'
import type { WriteAudit } from '../../../telemetry/audit/events.ts'
import type { FromProxy, ToProxy } from '../../proxy/parent-messages.ts'
import { killGroup } from '../child.ts'
import type { Guard } from '../guard.ts'
import { restartPause } from '../supervisor.ts'

export interface ProxyProcessParts {
  /** All of it, nsenter first. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly guard: Guard
  readonly roots: string
  /** A new one each time: it is told again and again, and a machine that slept for a day needs one as much as a new proxy. */
  token(): string
  /** A server of this machine's network for what the proxy listens on in its own. Undefined: none. Rejects when it is not to be had. */
  further(address: Address): Promise<{ readonly handle: object; close(): void } | undefined>
  /** It serves, or does not any more. */
  changed(serves: boolean): void
  accessLog(line: string): void
  /** Writes its events down, where somebody does. */
  readonly audit: WriteAudit | undefined
  say(line: string, bad: boolean): void
}

/** Half of the life of a token. */
const tokenPeriodMs = 300_000
/** It drains when it is told to end, then it is made to. */
const endMs = 10_000
/** Up for this long counts as healthy. */
const stableMs = 10_000
/** Questions without an answer: one probe a time, one drain, and a proxy that hangs. */
const maxQuestions = 16
const maxLineChars = 16 * 1024

export class ProxyProcess {
  readonly #parts: ProxyProcessParts
  readonly #ready = Promise.withResolvers<void>()
  readonly #questions = new Map<number, (answer: FromProxy | undefined) => void>()
  #child: ChildProcess | undefined
  #gone: Promise<void> = Promise.resolve()
  #admin = 0
  #next = 1
  #serves = false
  #restarts = 0
  #startedAt = 0
  #stopped = false
  #cancelRestart: () => void = () => {}
  #cancelToken: () => void = () => {}

  constructor(parts: ProxyProcessParts) {
    this.#parts = parts
    this.#ready.promise.catch(() => {})
  }

  /** On this machine's loopback; 0: it is not up. */
  get adminPort(): number {
    return this.#admin
  }

  get serves(): boolean {
    return this.#serves
  }

  /** It serves for the first time. Rejects never; after `stop` it stays open. */
  get whenReady(): Promise<void> {
    return this.#ready.promise
  }

  async start(): Promise<void> {
    const { server, address, release } = await reservePort()
    if (this.#stopped) return release()
    const { command: [program = '', ...args], env, clock, guard } = this.#parts
    this.#startedAt = clock.now()
    const child = spawnProcess(program, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
    this.#child = child
    if (child.pid !== undefined) guard.add(child.pid)
    const ended = Promise.withResolvers<void>()
    this.#gone = ended.promise
    child.once('error', (error) => this.#parts.say(`its proxy: ${describe(error)}`, true))
    child.once('close', (code, signal) => {
      if (child.pid !== undefined) guard.remove(child.pid)
      ended.resolve()
      this.#ended(signal === null ? `exited with code ${code}` : `was ended by ${signal}`)
    })
    child.on('message', (message) => this.#take(message as FromProxy))
    lines(child.stdout, (line) => this.#parts.accessLog(line))
    lines(child.stderr, (line) => this.#log(line))
    this.#admin = address.port
    this.#send({ kind: 'begin', token: this.#parts.token(), roots: this.#parts.roots }, handleOf(server), release)
    this.#renewToken()
  }

  /** Undefined: it is well; else why not. */
  async probe(probe: Probe, timeoutMs: number): Promise<string | undefined> {
    const answer = await this.#ask((id) => ({ kind: 'probe', id, probe, timeoutMs }), timeoutMs + 1000)
    return answer?.kind === 'probed' ? answer.problem : 'its proxy does not answer'
  }

  /** Resolves once what is open has finished, or the time is over. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#serves) await this.#ask((id) => ({ kind: 'drain', id, timeoutMs }), timeoutMs + 1000)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRestart()
    this.#cancelToken()
    const pid = this.#child?.pid
    if (pid === undefined) return
    killGroup(pid, 'SIGTERM')
    const cancel = this.#parts.clock.after(endMs, () => killGroup(pid, 'SIGKILL'))
    await this.#gone
    cancel()
  }

  #renewToken(): void {
    this.#cancelToken()
    this.#cancelToken = this.#parts.clock.after(tokenPeriodMs, () => {
      this.#send({ kind: 'token', token: this.#parts.token() })
      this.#renewToken()
    })
  }

  #ask(question: (id: number) => ToProxy, timeoutMs: number): Promise<FromProxy | undefined> {
    if (this.#questions.size >= maxQuestions) return Promise.resolve(undefined)
    const id = this.#next++
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(timeoutMs, () => settle(undefined))
      const settle = (answer: FromProxy | undefined): void => {
        cancel()
        this.#questions.delete(id)
        resolve(answer)
      }
      this.#questions.set(id, settle)
      this.#send(question(id))
    })
  }

  #take(message: FromProxy): void {
    if (message.kind === 'ready') {
      this.#become(true)
      this.#ready.resolve()
    } else if (message.kind === 'audit') {
      this.#parts.audit?.(message.event)
    } else if (message.kind === 'listen') {
      spawn('giving a proxy a socket', this.#give(message.id, message.address))
    } else {
      this.#questions.get(message.id)?.(message)
    }
  }

  async #give(id: number, address: Address): Promise<void> {
    try {
      const server = await this.#parts.further(address)
      this.#send({ kind: 'socket', id }, server?.handle, server?.close)
    } catch (error) {
      this.#send({ kind: 'socket', id, problem: describe(error) })
    }
  }

  /** `sent`: the proxy has a hold of its own on the socket, or is gone. */
  #send(message: ToProxy, handle?: object, sent: () => void = () => {}): void {
    const child = this.#child
    if (child?.connected !== true) return sent()
    // Node takes its own handles here, which its types do not know.
    Reflect.apply(child.send, child, [message, handle, {}, () => sent()])
  }

  #become(serves: boolean): void {
    if (this.#serves === serves) return
    this.#serves = serves
    this.#parts.changed(serves)
  }

  #ended(how: string): void {
    for (const settle of this.#questions.values()) settle(undefined)
    this.#child = undefined
    this.#admin = 0
    this.#cancelToken()
    this.#become(false)
    if (this.#stopped) return
    const { clock } = this.#parts
    if (clock.now() - this.#startedAt >= stableMs) this.#restarts = 0
    const pause = restartPause(this.#restarts++)
    this.#parts.say(`its proxy ${how}: what it sends and what is sent to it fails until the next start in ${pause / 1000} s`, true)
    this.#cancelRestart = clock.after(pause, () => spawn('starting a proxy again', this.start().catch((error: unknown) => this.#ended(describe(error)))))
  }

  /** `2026-11-25T17:40:05.123Z warning text`. */
  #log(line: string): void {
    const [, level, text] = /^\S+ (error|warning|info|debug) +(.*)$/.exec(line) ?? []
    if (text === undefined) this.#parts.say(`its proxy: ${line}`, true)
    else if (level === 'error' || level === 'warning') this.#parts.say(text, true)
  }
}

function lines(stream: NodeJS.ReadableStream | null, take: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => take(line.slice(0, maxLineChars)))
}
