// One operating system process: started without a shell in a group of its own, read line by line, ended by SIGTERM and,
// after its grace, SIGKILL. When and why to start it is supervisor.ts's business.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export interface ChildSpec {
  readonly command: readonly string[]
  readonly workingDirectory: string
  readonly env: Readonly<Record<string, string>>
}

export interface ChildEvents {
  /** One line of its output. */
  line(text: string, from: 'stdout' | 'stderr'): void
  /** It has ended, or never began; once. */
  ended(how: Ending): void
}

/** `reason` is a phrase for people: `exited with code 1`, `cannot be started: no such program "nod"`. */
export interface Ending {
  readonly started: boolean
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly reason: string
}

export interface Child {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined
  /** SIGTERM to the whole group; SIGKILL after the grace. Resolves when it is gone. */
  stop(graceMs: number): Promise<void>
}

/** Longest line kept whole: longer ones are cut, so that a program without line ends cannot fill our memory. */
const maxLineChars = 16 * 1024

const windows = process.platform === 'win32'

export function startChild(spec: ChildSpec, events: ChildEvents): Child {
  const [program = '', ...args] = spec.command
  const child = spawn(program, args, {
    cwd: spec.workingDirectory,
    env: spec.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: !windows, // a group of its own: Ctrl-C reaches us alone, and we end its children with it
    windowsHide: true,
  })
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return
      events.ended({ started: false, code: undefined, signal: undefined, reason: cannotStart(program, spec, error) })
      resolve()
    })
    child.once('exit', (code, signal) => {
      events.ended(endingOf(code, signal))
      resolve()
    })
  })
  readLines(child.stdout, (text) => events.line(text, 'stdout'))
  readLines(child.stderr, (text) => events.line(text, 'stderr'))
  return { pid: child.pid, stop: (graceMs) => stopChild(child, gone, graceMs) }
}

async function stopChild(child: ChildProcess, gone: Promise<void>, graceMs: number): Promise<void> {
  if (child.pid === undefined) return gone
  killGroup(child.pid, 'SIGTERM')
  const kill = setTimeout(killGroup, graceMs, child.pid, 'SIGKILL')
  await gone
  clearTimeout(kill)
  killGroup(child.pid, 'SIGKILL') // what it started and left behind
}

/** To a process group; false when there is none any more. 0 only asks. */
export function killGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  return signalTo(windows ? pid : -pid, signal)
}

/** To one process; false when it is gone. */
export function signalTo(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM')) return false
    throw error
  }
}

function readLines(stream: Readable, line: (text: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (text) => {
    line(text.length > maxLineChars ? `${text.slice(0, maxLineChars)} ... (${text.length} characters)` : text)
  })
}

function endingOf(code: number | null, signal: string | null): Ending {
  const reason = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
  return { started: true, code: code ?? undefined, signal: signal ?? undefined, reason }
}

function cannotStart(program: string, { workingDirectory }: ChildSpec, error: NodeJS.ErrnoException): string {
  const what = JSON.stringify(program)
  if (error.code === 'ENOENT') return `cannot be started: no program ${what} (looked in PATH, from ${workingDirectory})`
  if (error.code === 'EACCES') return `cannot be started: ${what} may not be executed`
  return `cannot be started: ${what}: ${error.message}`
}
