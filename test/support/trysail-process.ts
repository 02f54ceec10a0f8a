// The command as its users run it: a process of its own, under the Node that runs the test. What it prints is kept; at the
// end of its scope it is gone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const bin = new URL('../../bin/trysail.js', import.meta.url).pathname

export interface TrysailOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** What starts it, as somebody else or elsewhere: `setpriv --reuid=65534 --`. */
  readonly as?: readonly string[]
}

export class TrysailProcess implements AsyncDisposable {
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>
  readonly #child
  readonly #name: string
  #output = ''
  #over = false
  #wake: () => void = () => {}

  constructor(args: readonly string[], { cwd, env = {}, as = [] }: TrysailOptions) {
    this.#name = `trysail ${args.slice(0, 4).join(' ')} ...`
    const [program = process.execPath, ...words] = [...as, process.execPath, bin, ...args]
    this.#child = spawn(program, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        this.#wake()
      })
    }
    this.exited = once(this.#child, 'close').then(([code, signal]) => {
      this.#over = true
      this.#wake()
      return (signal ?? code) as number | string
    })
  }

  /** Standard output and standard error. */
  get output(): string {
    return this.#output
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** What it says that fits, looked for from the offset on. Fails with all that it said. */
  async saying(pattern: RegExp, from = 0, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const until = Date.now() + timeoutMs
    for (;;) {
      const found = pattern.exec(this.#output.slice(from))
      if (found !== null) return found
      const left = until - Date.now()
      if (left <= 0 || this.#over) throw new Error(`${this.#name} ${this.#over ? 'ended' : `has ${timeoutMs} ms`} without saying ${pattern}; it said:\n${this.#output}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#child.kill('SIGKILL')
    await this.exited
  }
}

/** Runs one to its end, which comes within 20 s or by force. */
export async function trysail(args: readonly string[], options: TrysailOptions): Promise<{ readonly code: number | string; readonly output: string }> {
  await using one = new TrysailProcess(args, options)
  const timer = setTimeout(() => one.signal('SIGKILL'), 20_000)
  const code = await one.exited
  clearTimeout(timer)
  return { code, output: one.output }
}
