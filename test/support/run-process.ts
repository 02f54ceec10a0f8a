// `trysail run` as a process of its own, as a person starts it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

const trysail = new URL('../../bin/trysail.js', import.meta.url).pathname
export const patienceMs = 20_000

export class Run implements AsyncDisposable {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly lines: string[] = []
  readonly ended: Promise<unknown[]>

  constructor(...args: readonly string[]) {
    this.child = spawn(process.execPath, [trysail, 'run', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.ended = once(this.child, 'exit')
    for (const stream of [this.child.stdout, this.child.stderr]) createInterface({ input: stream }).on('line', (line) => this.lines.push(line))
  }

  async said(line: RegExp): Promise<RegExpExecArray> {
    const end = Date.now() + patienceMs
    for (;;) {
      const found = this.lines.map((one) => line.exec(one)).find((match) => match !== null)
      if (found !== undefined) return found
      assert.ok(Date.now() < end && this.child.exitCode === null, `${line} was not said:\n${this.lines.join('\n')}`)
      await sleep(10)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGTERM')
    await this.ended
  }
}
