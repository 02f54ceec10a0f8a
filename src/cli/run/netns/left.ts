// What still runs in a network namespace when all that is known of it has ended: programs that left their process group. By
// the namespace's number, since nobody else ever has it.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import type { NetworkNumber } from '../../../agent/netns/namespace.ts'

/** Undefined when the process is gone. */
export function networkOf(pid: number): NetworkNumber | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) as NetworkNumber
  } catch {
    return undefined // gone, or somebody else's
  }
}

export const isNetwork = (text: string): text is NetworkNumber => /^net:\[\d+\]$/.test(text)

/** Never this process's own network, whatever is asked. */
export function processesIn(network: NetworkNumber): readonly number[] {
  if (networkOf(process.pid) === network) return []
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => networkOf(pid) === network && !isDead(pid))
}

function isDead(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

export function killAllIn(network: NetworkNumber): void {
  for (const pid of processesIn(network)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}

/** Whether anybody listens on a TCP port in the network of a process: state 0A in the kernel's table. */
export function listensIn(pid: number, port: number): boolean {
  const wanted = new RegExp(`^\\s*\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F]+:0000 0A `, 'm')
  return ['tcp', 'tcp6'].some((table) => {
    try {
      return wanted.test(readFileSync(`/proc/${pid}/net/${table}`, 'utf8'))
    } catch {
      return false // the process is gone, or the kernel has no IPv6
    }
  })
}
