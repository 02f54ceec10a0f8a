// The proxy of `trysail agent run` as a process of its own: so that a newer one can take over from it, and one that breaks does
// not take the program with it. Signals reach it through the agent alone.
import { fork } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { LifeProxy } from '../agent/life/proxy-keeper.ts'
import { agentVariable } from './proxy/agent-link.ts'
import type { FromAgentProxy, ToAgentProxy } from './proxy/agent-link.ts'
import type { RunningProxy } from './running.ts'

const program = fileURLToPath(new URL('../../bin/trysail.js', import.meta.url))

export interface ProxyProcess {
  /** Those of `trysail proxy`. */
  readonly args: readonly string[]
  /** What makes it another user, before its program; without it, it is ours. */
  readonly as: readonly string[]
  readonly takesOver: boolean
  /** It has been started; `ended` resolves when it is gone. */
  onPid(pid: number, ended: Promise<unknown>): void
  /** Where people's tools find it: they are the agent's user's, and it may be another. */
  onAnnounced(proxies: readonly RunningProxy[]): void
}

export function startProxyProcess({ args, as: [become, ...how], takesOver, onPid, onAnnounced }: ProxyProcess): LifeProxy {
  const child = fork(program, ['proxy', ...args, ...(takesOver ? ['--takeover'] : [])], {
    env: { ...process.env, ...(become === undefined ? {} : { XDG_RUNTIME_DIR: undefined }), [agentVariable]: 'true' }, // that folder is our user's
    ...(become === undefined ? {} : { execPath: become, execArgv: [...how, process.execPath, ...process.execArgv] }),
    detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ready = Promise.withResolvers<void>()
  const left = Promise.withResolvers<void>()
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(1))
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128 + constants.signals[signal])))
  })
  if (child.pid !== undefined) onPid(child.pid, ended)
  child.on('message', (message: FromAgentProxy) => {
    if (message.kind === 'announced') onAnnounced(message.proxies)
    else (message.kind === 'ready' ? ready : left).resolve()
  })
  const say = (message: ToAgentProxy): void => void (child.connected && child.send(message, () => {}))
  return {
    ready: ready.promise, ended,
    async leave() {
      say({ kind: 'leave' })
      await Promise.race([left.promise, ended])
    },
    async end() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
