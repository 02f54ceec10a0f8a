// Runs the system's own tools (ip, nsenter, unshare, mount, nft): by their arguments, never through a shell, each within a
// time limit. What they refuse becomes one line that names what to install or what to do instead.
import { execFile } from 'node:child_process'
import { MeshError } from '../../lib/errors.ts'

export type NetnsCode = 'netns/missing' | 'netns/permission' | 'netns/failed'

/** None of them waits for anything but the kernel: one that takes longer hangs, or the machine does. */
const timeoutMs = 20_000
const maxOutputBytes = 1024 * 1024

/** Debian's names; other systems' are alike. */
const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2', nft: 'nftables', nsenter: 'util-linux', unshare: 'util-linux', setpriv: 'util-linux', mount: 'mount', cat: 'coreutils',
}

/** `sbin` is in no user's PATH, and has what is needed here. */
export function toolEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return { PATH: [env['PATH'] ?? '', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].filter((one) => one !== '').join(':'), LC_ALL: 'C' }
}

export interface CommandInput {
  readonly env: Readonly<Record<string, string>>
  /** Its standard input; empty without it. */
  readonly input?: string
}

/** Resolves with what it printed. Rejects with a `NetnsCode`. */
export async function runCommand(command: readonly string[], input: CommandInput): Promise<string> {
  const { code, stdout, stderr } = await commandAnswer(command, input)
  if (code === 0) return stdout
  const [program = '', ...args] = command
  throw failureOf(program, args, new Error(`it ended with code ${code}`), stderr)
}

export interface CommandAnswer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Rejects with a `NetnsCode` only where it cannot be run at all. */
export function commandAnswer([program = '', ...args]: readonly string[], { env, input = '' }: CommandInput): Promise<CommandAnswer> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env, timeout: timeoutMs, maxBuffer: maxOutputBytes }, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr })
      if (typeof error.code === 'number' && !/failed to execute/.test(stderr)) return resolve({ code: error.code, stdout, stderr })
      reject(failureOf(program, args, error, stderr))
    })
    child.stdin?.on('error', () => {}) // it has ended without reading: its exit code says why
    child.stdin?.end(input)
  })
}

/** What comes last is what runs: `nsenter ... ip link` is about ip. */
export function failureOf(program: string, args: readonly string[], error: Error, stderr: string): MeshError<NetnsCode> {
  const said = firstLine(stderr) || firstLine(error.message)
  if ('code' in error && error.code === 'ENOENT') return missingTool(program, error)
  const absent = /failed to execute (\S+): (?:No such file|Permission denied)/.exec(stderr)?.[1]
  if (absent !== undefined) return missingTool(absent, error)
  if (/not permitted|permission denied|unshare failed|read-only file system/i.test(stderr)) {
    return new MeshError('netns/permission', `network namespaces are refused here (${said}): ${otherwise}`)
  }
  return new MeshError('netns/failed', `${[program, ...args].join(' ')}: ${said} (--capture env does without namespaces)`)
}

const otherwise = 'run as root, allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns=0), or use --capture env'

export function missingTool(program: string, cause?: unknown): MeshError<NetnsCode> {
  const found = packages[program]
  return new MeshError('netns/missing', `${program} is not installed${found === undefined ? '' : ` (package ${found})`}: install it, or use --capture env`, cause)
}

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? ''
