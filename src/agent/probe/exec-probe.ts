// Whether a command ends with exit code 0. It runs without a shell, as a process group of its own that does not outlive its
// time; of what it prints, the beginning is kept for people.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Asking, ExecProbe, Problem } from './probe.ts'

/** Of what a command prints; the rest is read and dropped, so that it never waits for us. */
const maxOutput = 1024

export function askCommand({ command: [program = '', ...args] }: ExecProbe, { timeoutMs }: Pick<Asking, 'timeoutMs'>): Promise<Problem> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const printed = outputOf(child)
    const timer = setTimeout(() => {
      kill(child)
      resolve(`${program} did not end within ${timeoutMs} ms`)
    }, timeoutMs)
    const over = (problem: Problem): void => {
      clearTimeout(timer)
      kill(child) // what it left behind in the background
      resolve(problem)
    }
    child.once('error', (error) => over(`${program} cannot be run: ${error.message}`))
    child.once('exit', (code, signal) => over(code === 0 ? undefined : `${program} ended with ${signal ?? code}${printed()}`))
  })
}

function outputOf({ stdout, stderr }: ChildProcess): () => string {
  let text = ''
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (more: string) => {
      if (text.length < maxOutput) text = (text + more).slice(0, maxOutput)
    })
  }
  return () => (text.trim() === '' ? '' : `: ${text.trim()}`)
}

/** The whole group; one that is gone is what is wanted. */
function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
