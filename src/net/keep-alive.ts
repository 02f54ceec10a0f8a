// How the kernel asks a silent peer whether it is still there: after how long, how often, how many times. Node can say only
// the first, and sets the others to numbers of its own (every second, ten times); socket-options.ts can say all three.
import type { Socket } from 'node:net'
import { descriptorOf, linuxOptions, socketOptions } from './socket-options.ts'
import type { SocketOptions } from './socket-options.ts'

/** Each 0 is the system's own number. Whole seconds, as the kernel counts. */
export interface KeepAlive {
  /** Silence before the first question. */
  readonly afterS: number
  /** From one question to the next. */
  readonly intervalS: number
  /** Unanswered questions until the peer counts as gone. */
  readonly probes: number
}

/** Why a connection would not be asked as this says; undefined: it would. */
export function keepAliveProblem({ intervalS, probes }: KeepAlive): string | undefined {
  return intervalS === 0 && probes === 0 ? undefined : socketOptions().problem
}

/** Of a connected TCP socket. */
export function keepAlive(socket: Socket, asking: KeepAlive): void {
  keepAliveBy(descriptorOf(socket), asking, (seconds) => void socket.setKeepAlive(true, 1_000 * seconds))
}

/** The same by a descriptor. `orElse` says only after how long. */
export function keepAliveBy(fd: number | undefined, asking: KeepAlive, orElse: (afterS: number) => void): void {
  const { options } = socketOptions()
  try {
    if (options !== undefined && fd !== undefined) return set(options, fd, asking)
  } catch {
    // A sandbox may forbid it: what node can say is better than nothing.
  }
  orElse(asking.afterS)
}

function set(options: SocketOptions, fd: number, { afterS, intervalS, probes }: KeepAlive): void {
  options.set(fd, linuxOptions.keepAlive, 1)
  if (afterS > 0) options.set(fd, linuxOptions.tcpKeepIdle, Math.min(afterS, mostSeconds))
  if (intervalS > 0) options.set(fd, linuxOptions.tcpKeepInterval, Math.min(intervalS, mostSeconds))
  if (probes > 0) options.set(fd, linuxOptions.tcpKeepCount, Math.min(probes, mostProbes))
}

/** The kernel's limits. */
const mostSeconds = 32_767
const mostProbes = 127
