// Our end of the guardian: tells it whom to end, and in which networks of ours nothing may be left, should we die without being
// able to. The kernel's own signal at the death of a parent (PR_SET_PDEATHSIG) would not do: a program that becomes another user
// loses it, and it reaches no grandchildren.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { NetworkNumber } from '../../agent/netns/namespace.ts'

export interface Guard {
  /** Its process group is told to end, and killed if it does not. */
  add(pid: number): void
  /** One that notices our end by itself: killed if it does not end then. */
  addNoticing(pid: number): void
  remove(pid: number): void
  addNetwork(network: NetworkNumber): void
  removeNetwork(network: NetworkNumber): void
  close(): void
}

/** `graceMs`: from the word to the force. */
export function startGuard(graceMs = 2_000): Guard {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const program = fileURLToPath(new URL(`./guardian.${extension}`, import.meta.url))
  const child = spawn(process.execPath, [program, String(graceMs)], { stdio: ['pipe', 'ignore', 'ignore'], detached: process.platform !== 'win32', windowsHide: true })
  // Without a guardian everything works but the ending after a SIGKILL of ours.
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  const tell = (line: string): void => void child.stdin.write(line)
  return {
    add: (pid) => tell(`+${pid}\n`),
    addNoticing: (pid) => tell(`~${pid}\n`),
    remove: (pid) => tell(`-${pid}\n`),
    addNetwork: (network) => tell(`+${network}\n`),
    removeNetwork: (network) => tell(`-${network}\n`),
    close: () => child.stdin.end(),
  }
}
