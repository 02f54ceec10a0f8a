// A mesh of `run --capture netns`, programs in it, and what of it is left in this machine once it has ended.
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { LocalMesh } from './local-mesh.ts'

export interface Ran {
  /** Standard output, trimmed. */
  readonly out: string
  readonly err: string
  readonly code: number
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** A program where the program of a Process is, as `kubectl exec` would. */
export function inside(mesh: LocalMesh, name: string, [program, ...args]: readonly [string, ...string[]], { env = {}, input = '' }: RunOptions = {}): Promise<Ran> {
  const enter = ['--target', String(mesh.pidOf(name)), '--net', '--mount', '--']
  return new Promise((resolve) => {
    const child = execFile('nsenter', [...enter, program, ...args], { env: { ...process.env, ...env }, timeout: 30_000, maxBuffer: 32 * 2 ** 20 }, (error, stdout, stderr) => {
      resolve({ out: stdout.trim(), err: stderr.trim(), code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1 })
    })
    child.stdin!.on('error', () => {}).end(input)
  })
}

/** As this machine was before: what is not in it was made meanwhile. */
export interface Machine {
  readonly networks: ReadonlySet<string>
  readonly interfaces: ReadonlySet<string>
  readonly names: string
  readonly files: ReadonlySet<string>
  readonly mounts: ReadonlySet<string>
}

export function machine(): Machine {
  return {
    networks: new Set(processes().map(networkOf)),
    interfaces: new Set(readdirSync('/sys/class/net')),
    names: execFileSync('ip', ['netns'], { encoding: 'utf8' }),
    files: new Set(readdirSync(tmpdir()).filter((name) => name.startsWith('trysail-netns-'))),
    mounts: new Set(readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => / \/etc\/|trysail/.test(line))),
  }
}

/** In words; empty: nothing is left. Of networks only those that are asked about: others may test at the same time. */
export function leftSince(before: Machine, mine: readonly string[]): readonly string[] {
  const now = machine()
  return [
    ...mine.filter((network) => !before.networks.has(network) && now.networks.has(network)).map((network) => `a process in ${network}`),
    ...[...now.interfaces].filter((name) => !before.interfaces.has(name)).map((name) => `interface ${name}`),
    ...(now.names === before.names ? [] : [`network namespaces by name: ${now.names}`]),
    ...[...now.files].filter((name) => !before.files.has(name)).map((name) => `file ${name}`),
    ...[...now.mounts].filter((line) => !before.mounts.has(line)).map((line) => `mount ${line}`),
  ]
}

/** Networks of the processes that have one of these pids or descend from them. */
export function networksOf(pids: readonly number[]): readonly string[] {
  const found = new Set(pids)
  for (const pid of processes()) if (found.has(parentOf(pid))) found.add(pid)
  return [...new Set([...found].map(networkOf))].filter((one) => one !== '' && one !== networkOf(process.pid))
}

const processes = (): readonly number[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b)

export function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return '' // gone
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
