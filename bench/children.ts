// The programs that the bench starts: each in a process group of its own, pinned to a core where the machine has two,
// and gone when the bench is.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { connect } from 'node:net'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** What is measured runs alone on one core; load and upstream share the other. */
export type Core = 'measured' | 'load'

const pinned = process.platform === 'linux' && availableParallelism() > 1
const cores: Record<Core, string> = { load: '0', measured: '1' }

/** The command line, pinned. taskset replaces itself by the program: the pid stays. */
function onCore(core: Core, command: readonly string[]): [string, string[]] {
  const [program = '', ...args] = pinned ? ['taskset', '-c', cores[core], ...command] : command
  return [program, args]
}

export interface StartOptions {
  readonly core: Core
  /** File for its standard output and errors. */
  readonly output: string
}

const startMs = 15_000

export class Children implements AsyncDisposable {
  readonly #running = new Map<ChildProcess, string>()
  readonly #adopted: AsyncDisposable[] = []

  readonly #onExit = (): void => this.#signal('SIGKILL')

  constructor() {
    process.once('exit', this.#onExit)
  }

  /** Starts a server and waits until it takes connections. */
  async server(name: string, command: readonly string[], ports: readonly number[], { core, output }: StartOptions): Promise<number> {
    const file = openSync(output, 'a')
    const [program, args] = onCore(core, command)
    const child = this.#keep(name, spawn(program, args, { detached: true, stdio: ['ignore', file, file] }))
    const until = Date.now() + startMs
    for (const port of ports) {
      while (!(await takesConnections(port))) {
        if (child.exitCode !== null || Date.now() > until) throw new Error(`${name} does not listen on port ${port}; its output is in ${output}`)
        await sleep(20)
      }
    }
    return child.pid!
  }

  /** Starts one of our own programs, which says one line of JSON once it serves. */
  async program<Said>(name: string, command: readonly string[], core: Core): Promise<{ readonly pid: number; readonly said: Said }> {
    const [program, args] = onCore(core, command)
    const child = this.#keep(name, spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] }))
    const lines = createInterface({ input: child.stdout! })
    const said = await new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${name} was not ready after ${startMs} ms`)), startMs)
      child.once('exit', () => reject(new Error(`${name} ended before it was ready`)))
      lines.on('line', (line) => {
        if (!line.startsWith('{')) return console.error(line) // what flags such as --trace-gc make node say
        clearTimeout(late)
        resolve(line)
      })
    })
    return { pid: child.pid!, said: JSON.parse(said) as Said }
  }

  /** What starts a program on its core. */
  prefix(core: Core): readonly string[] {
    return pinned ? ['taskset', '-c', cores[core]] : []
  }

  /** Something that was started elsewhere ends with the others. */
  adopt(other: AsyncDisposable): void {
    this.#adopted.push(other)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const other of this.#adopted) await other[Symbol.asyncDispose]()
    this.#signal('SIGTERM')
    for (let waited = 0; this.#running.size > 0 && waited < 3000; waited += 20) await sleep(20)
    this.#signal('SIGKILL')
    process.off('exit', this.#onExit)
  }

  #keep(name: string, child: ChildProcess): ChildProcess {
    this.#running.set(child, name)
    child.once('exit', () => this.#running.delete(child))
    child.once('error', () => this.#running.delete(child))
    return child
  }

  #signal(signal: NodeJS.Signals): void {
    for (const { pid } of this.#running.keys()) {
      try {
        if (pid !== undefined) process.kill(-pid, signal)
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

/** Runs to its end; its standard output, each line of which `onLine` hears at once. */
export async function run(core: Core, command: readonly string[], onLine?: (line: string) => void): Promise<string> {
  const [program, args] = onCore(core, command)
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    onLine?.(line)
  }
  const [code] = (await ended) as [number | null]
  if (code !== 0) throw new Error(`${command[0]} failed (exit ${code ?? 'by signal'})`)
  return lines.join('\n')
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const answer = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => answer(true)).once('error', () => answer(false))
  })
}
