// Runs the system's own programs that change packet filters and routes: nft, iptables, ip. Never through a shell, what they
// read is written to them, what they answer is bounded in size and time.
import { spawn } from 'node:child_process'
import { MeshError } from '../../lib/errors.ts'

export type CaptureErrorCode =
  | 'agent/no-program'      // nft, iptables or ip is not installed
  | 'agent/no-permission'   // needs root in this network namespace
  | 'agent/no-kernel'       // the kernel lacks what a rule needs
  | 'agent/command-failed'
  | 'agent/not-captured'    // rules are there or should be, and traffic goes past the proxy

export type CaptureError = MeshError<CaptureErrorCode>

export const captureError = (code: CaptureErrorCode, message: string, cause?: unknown): CaptureError => new MeshError(code, message, cause)

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with arguments and an input. Rejects with `agent/no-program` where there is none of that name. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<Answer>

/** Rules of a workload are some kilobytes; more than this is no answer to what is asked here. */
const maxOutputBytes = 4 * 1024 * 1024
/** They answer in milliseconds; a kernel that is busy with tables of others lets them wait. */
const timeoutMs = 15_000

export const runCommand: RunCommand = (program, args, input = '') => new Promise((resolve, reject) => {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, env: { PATH: searchPath, LC_ALL: 'C' } })
  const out = collect(child.stdout, () => child.kill())
  const err = collect(child.stderr, () => child.kill())
  child.on('error', (error) => reject(isMissing(error) ? captureError('agent/no-program', `${program} is not installed: ${packages[program] ?? `install ${program}`}`, error) : error))
  child.on('close', (code) => resolve({ code: code ?? -1, stdout: out(), stderr: err() }))
  child.stdin.on('error', () => {}) // it ended without reading: its exit code says why
  child.stdin.end(input)
})

/** In every distribution; a user's own PATH often lacks the sbin folders. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const packages: Readonly<Record<string, string>> = {
  nft: "the package is nftables ('apt-get install nftables'), or use --backend iptables",
  ip: "the package is iproute2 ('apt-get install iproute2')",
  'iptables-restore': "the package is iptables ('apt-get install iptables'), or use --backend nft",
  'iptables-save': "the package is iptables ('apt-get install iptables'), or use --backend nft",
}

const isMissing = (error: Error): boolean => 'code' in error && error.code === 'ENOENT'

function collect(stream: NodeJS.ReadableStream, tooMuch: () => void): () => string {
  const parts: Buffer[] = []
  let bytes = 0
  stream.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes > maxOutputBytes) tooMuch()
    else parts.push(part)
  })
  return () => Buffer.concat(parts).toString()
}

/** The same programs behind another one, such as `ip netns exec NAME`. */
export function behind([program, ...before]: readonly [string, ...string[]], run: RunCommand = runCommand): RunCommand {
  return (inner, args, input) => run(program, [...before, inner, ...args], input)
}

/** What it prints; rejects with the reason in one line. `doing` is read after `cannot`. */
export async function demand(run: RunCommand, doing: string, program: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, input)
  if (code === 0) return stdout
  throw failureOf(doing, program, code, stderr)
}

export function failureOf(doing: string, program: string, code: number, stderr: string): CaptureError {
  const lines = stderr.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  // iptables says first which version of it fails.
  const reason = lines.find((line) => !line.endsWith(':')) ?? `exit code ${code}`
  if (/Operation not permitted|Permission denied|must be root|you must be root/i.test(stderr)) {
    return captureError('agent/no-permission', `cannot ${doing}: ${program} needs root, or CAP_NET_ADMIN in this network namespace (${reason})`)
  }
  if (/No such file or directory|Operation not supported|can't initialize|Could not process rule: Not supported|Protocol not supported|does not exist|No chain\/target\/match/i.test(stderr)) {
    return captureError('agent/no-kernel', `cannot ${doing}: this kernel lacks what a rule needs; load nf_tables, nft_redir, nft_tproxy, nft_ct or xt_REDIRECT, xt_owner (modprobe), or use the other --backend (${reason})`)
  }
  return captureError('agent/command-failed', `cannot ${doing}: ${program} says: ${reason}`)
}
