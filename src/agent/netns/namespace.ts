// One network namespace with a mount namespace of its own, kept alive by a process that does nothing. It stands in no folder
// and has no name: when that process ends, which it does when we do, all that was in it goes with it. Without root, the
// first one also makes the user namespace that the others live in.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { MeshError } from '../../lib/errors.ts'
import { commandAnswer, failureOf, runCommand } from './commands.ts'
import type { CommandAnswer } from './commands.ts'

/** `net:[4026532123]`: what the kernel calls a network namespace. */
export type NetworkNumber = `net:[${number}]`

export interface NamespaceParts {
  readonly env: Readonly<Record<string, string>>
  /** Without root: where it is made. Undefined: here, together with the user namespace. */
  readonly within: Namespace | undefined
  readonly rootless: boolean
}

/** A holder that says nothing for so long will not: making namespaces takes milliseconds. */
const readyMs = 20_000

export class Namespace {
  /** Of what keeps it. */
  readonly pid: number
  readonly #holder: ChildProcess
  readonly #parts: NamespaceParts
  readonly #ended: Promise<void>

  private constructor(holder: ChildProcess, pid: number, parts: NamespaceParts) {
    this.#holder = holder
    this.pid = pid
    this.#parts = parts
    this.#ended = new Promise((resolve) => holder.once('exit', () => resolve()))
  }

  /** Rejects with a `NetnsCode`. */
  static async open(parts: NamespaceParts): Promise<Namespace> {
    const [program, ...args] = [...entering(parts), 'unshare', '--net', '--mount', ...(parts.rootless && parts.within === undefined ? ['--user', '--map-root-user'] : []), '--', 'cat']
    // A group of its own: Ctrl-C is for us to answer. When we are gone its input ends, and so does it.
    const holder = spawn(program, args, { env: parts.env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    await echoed(holder, program, args)
    return new Namespace(holder, holder.pid!, parts)
  }

  /** What comes before a command that shall run in it; with its mounts, unless only its network is meant. */
  entering(what: 'network' | 'all' = 'all'): readonly string[] {
    return ['nsenter', '--target', String(this.pid), ...(this.#parts.rootless ? ['--user', '--preserve-credentials'] : []), '--net', ...(what === 'all' ? ['--mount'] : [])]
  }

  /** Rejects with a `NetnsCode`. */
  run(command: readonly string[], input = ''): Promise<string> {
    return runCommand([...this.entering(), '--', ...command], { env: this.#parts.env, input })
  }

  /** Whatever comes of it, also a refusal. */
  answer(command: readonly string[], input = ''): Promise<CommandAnswer> {
    return commandAnswer([...this.entering(), '--', ...command], { env: this.#parts.env, input })
  }

  /** All that `ip` shall do in it, in one go. */
  ip(lines: readonly string[]): Promise<string> {
    return this.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
  }

  /** What still runs in it keeps its network for as long as that runs. */
  async close(): Promise<void> {
    this.#holder.stdin?.end()
    this.#holder.kill('SIGKILL')
    await this.#ended
  }
}

const entering = ({ within, rootless }: NamespaceParts): readonly string[] =>
  rootless && within !== undefined ? ['nsenter', '--target', String(within.pid), '--user', '--preserve-credentials', '--'] : []

/** What it is told comes back once it runs in its namespaces. */
function echoed(holder: ChildProcess, program: string, args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let stderr = ''
  const fail = (error: Error): void => {
    holder.kill('SIGKILL')
    reject(failureOf(program, args, error, stderr))
  }
  const timer = setTimeout(() => fail(new MeshError('netns/failed', `no namespace within ${readyMs} ms`)), readyMs)
  holder.stderr?.on('data', (bytes: Buffer) => (stderr = (stderr + bytes.toString()).slice(0, 4096)))
  holder.stdin?.on('error', () => {}) // it has ended: that is said elsewhere
  holder.once('error', fail)
  holder.once('close', (code) => fail(new Error(`it ended with code ${code}`)))
  holder.stdout?.once('data', () => {
    holder.removeAllListeners('close')
    resolve()
  })
  holder.stdin?.write('\n')
  return promise.finally(() => clearTimeout(timer))
}
