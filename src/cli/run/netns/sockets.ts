// Sockets of a network namespace in this process: a program is started there that makes them and hands them over.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Namespace } from '../../../agent/netns/namespace.ts'
import { MeshError } from '../../../lib/errors.ts'
import type { MadeSocket, WantedSocket } from '../../../net/sockets-to-parent.ts'

/** A node starts within a second, also on a machine that is busy. */
const timeoutMs = 30_000

/** By name. Rejects with `run/netns-sockets`. */
export async function socketsOf(namespace: Namespace, wanted: readonly WantedSocket[]): Promise<ReadonlyMap<string, object>> {
  const program = fileURLToPath(new URL(`./sockets-main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))
  const [nsenter = '', ...enter] = namespace.entering('network')
  const child = spawn(nsenter, [...enter, '--', process.execPath, program, JSON.stringify(wanted)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const made = new Map<string, object>()
  let said = ''
  child.stderr?.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(0, 4096)))
  child.on('message', (message, socket: unknown) => {
    if (typeof socket === 'object' && socket !== null) made.set((message as MadeSocket).name, socket)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  await new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said ||= error.message
      resolve()
    })
    child.once('close', () => resolve())
  })
  clearTimeout(timer)
  const missing = wanted.filter(({ name }) => !made.has(name))
  if (missing.length > 0) throw new MeshError('run/netns-sockets', `the network of the workloads has no ${missing.map(({ name }) => name).join(', ')}: ${said.trim() || 'nothing was said'}`)
  return made
}
