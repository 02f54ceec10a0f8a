// A workload's network namespace with observers in it and a peer outside, for tests of what the capture rules do to real
// connections. All of it ends with the test; nothing of the machine's own network is touched.
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { behind } from '../../src/agent/capture/commands.ts'
import type { RunCommand } from '../../src/agent/capture/commands.ts'
import type { Call, ObserverOptions, Seen } from './capture-observer.ts'

/** Why such a test cannot run here; false when it can. */
export const netnsSkip: string | false = skipReason()

function skipReason(): string | false {
  const missing = missingPrograms()
  if (missing !== false) return missing
  if (process.getuid?.() !== 0) return 'skipped: making network namespaces needs root'
  const tried = spawnSync('unshare', ['--net', '--', 'nft', '-f', '-'], { input: 'table inet trysail-try { chain out { type nat hook output priority -100; tcp dport 1 redirect to :2; }; }\n' })
  return tried.status === 0 ? false : `skipped: no packet filter in a namespace of its own: ${tried.stderr.toString().split('\n')[0]}`
}

/** Why the older packet filter cannot be used here, where the newer one can. */
export const iptablesSkip: string | false = ['iptables-restore', 'ip6tables-restore', 'iptables-save', 'ip6tables-save'].every((program) => spawnSync(program, ['--version']).error === undefined) ? false : 'skipped: iptables not installed'

/** Why nobody can make them here; false when all is there that it takes. */
export function missingPrograms(): string | false {
  if (process.platform !== 'linux') return 'skipped: network namespaces are Linux\'s'
  const missing = ['ip', 'nft', 'nsenter', 'setpriv', 'unshare'].filter((program) => spawnSync(program, ['--version']).error !== undefined)
  return missing.length > 0 ? `skipped: ${missing.join(', ')} not installed` : false
}

export type Family = 'IPv4' | 'IPv6'

/** The same places in both families. */
export const places: Readonly<Record<Family, Readonly<Record<'workload' | 'peer' | 'other' | 'beyond' | 'service' | 'loopback' | 'ownSource', string>>>> = {
  IPv4: { workload: '10.77.0.2', peer: '10.77.0.1', other: '10.78.0.1', beyond: '10.79.0.1', service: '10.96.0.9', loopback: '127.0.0.1', ownSource: '127.0.0.6' },
  IPv6: { workload: 'fd77::2', peer: 'fd77::1', other: 'fd78::1', beyond: 'fd79::1', service: 'fd96::9', loopback: '::1', ownSource: '::6' },
}

/** A network that lives as long as a process in it. */
export class Net {
  readonly pid: number
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
    this.pid = holder.pid!
  }

  static async open(): Promise<Net> {
    const holder = spawn('unshare', ['--net', '--', 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
    holder.stdin!.write('here\n')
    await once(holder.stdout!, 'data')
    const net = new Net(holder)
    net.sh(['ip', 'link', 'set', 'lo', 'up'])
    return net
  }

  readonly enter = (): [string, ...string[]] => ['nsenter', `--net=/proc/${this.pid}/ns/net`, '--']

  get run(): RunCommand {
    return behind(this.enter())
  }

  /** Throws with what it said. */
  sh(command: readonly string[], input = ''): string {
    const [program, ...args] = [...this.enter(), ...command]
    const { status, stdout, stderr } = spawnSync(program!, args, { input, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
    return stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await ended
  }
}

export interface As {
  readonly uid: number
  readonly gid: number
}

const observerPath = join(import.meta.dirname, 'capture-observer.ts')

/** A program that listens and connects as it is told. */
export class Observer {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (seen: Seen | string) => void>()
  #calls = 0

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async open(net: Net, { uid, gid }: As, options: ObserverOptions): Promise<Observer> {
    const capabilities = options.transparent === true ? ['--inh-caps=+net_admin', '--ambient-caps=+net_admin'] : []
    const as = uid === process.getuid?.() ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...capabilities]
    const [program, ...args] = [...net.enter(), ...as, process.execPath, observerPath, JSON.stringify(options)]
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const observer = new Observer(child)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    child.once('exit', (code) => reject(new Error(`the observer ${options.name} ended with ${code}`)))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const said = JSON.parse(line) as { ready?: true; id: number; seen: Seen | string }
      if (said.ready === true) return resolve()
      observer.#waiting.get(said.id)?.(said.seen)
      observer.#waiting.delete(said.id)
    })
    await promise
    return observer
  }

  /** Who was met, or what happened instead: `ECONNREFUSED`, `silence`. */
  call(to: Omit<Call, 'id' | 'timeoutMs'>, timeoutMs = 10_000): Promise<Seen | string> {
    const id = this.#calls++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#child.stdin!.write(`${JSON.stringify({ ...to, id, timeoutMs } satisfies Call)}\n`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** Two networks and a cable: the workload's, and one for all the rest of the world. */
export async function wiredNets(): Promise<{ readonly workload: Net; readonly world: Net } & AsyncDisposable> {
  const nets = new AsyncDisposableStack()
  try {
    const workload = nets.use(await Net.open())
    const world = nets.use(await Net.open())
    wire(workload, world)
    return { workload, world, [Symbol.asyncDispose]: () => nets.disposeAsync() }
  } catch (error) {
    await nets.disposeAsync()
    throw error
  }
}

function wire(workload: Net, world: Net): void {
  const { IPv4, IPv6 } = places
  world.sh(['ip', 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(workload.pid)])
  world.sh(['ip', '-batch', '-'], [
    'link set cable up', `address add ${IPv4.peer}/24 dev cable`, `address add ${IPv6.peer}/64 dev cable nodad`, `address add ${IPv4.other}/32 dev lo`, `address add ${IPv6.other}/128 dev lo nodad`,
    `route add ${IPv4.beyond}/32 via ${IPv4.workload}`, `route add ${IPv6.beyond}/128 via ${IPv6.workload}`,
  ].join('\n'))
  workload.sh(['ip', '-batch', '-'], [
    'link set eth0 up', `address add ${IPv4.workload}/24 dev eth0`, `address add ${IPv6.workload}/64 dev eth0 nodad`, `route add default via ${IPv4.peer}`, `route add ::/0 via ${IPv6.peer}`,
  ].join('\n'))
}
