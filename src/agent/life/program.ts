// The workload's program as a process of the operating system: started without a shell, with our own input and output, told
// of signals, and waited for. It leads a process group of its own, so that all of it can be ended when we are killed and cannot
// end it; where it shares a terminal with us it stays in ours, or it could not read from it.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

export interface ProgramEnd {
  /** Its own, or 128 and the number of the signal that ended it; 127 and 126 when it could not be started (as in a shell). */
  readonly code: number
  /** Why it could not be started. */
  readonly problem?: string
}

export interface LifeProgram {
  /** Undefined when it could not be started. */
  readonly pid?: number | undefined
  readonly ended: Promise<ProgramEnd>
  signal(name: NodeJS.Signals): void
}

export function startProgram([program = '', ...args]: readonly string[], env: Readonly<Record<string, string | undefined>>): LifeProgram {
  const child = spawn(program, args, { stdio: 'inherit', env, detached: !process.stdin.isTTY })
  const ended = new Promise<ProgramEnd>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) resolve(notStarted(program, error))
    })
    child.once('exit', (code, signal) => resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }))
  })
  return { pid: child.pid, ended, signal: (name) => void child.kill(name) }
}

function notStarted(program: string, error: NodeJS.ErrnoException): ProgramEnd {
  const what = JSON.stringify(program)
  if (error.code === 'ENOENT') return { code: 127, problem: `no program ${what} (looked in PATH)` }
  if (error.code === 'EACCES') return { code: 126, problem: `${what} may not be executed` }
  return { code: 126, problem: `${what} cannot be started: ${error.message}` }
}
