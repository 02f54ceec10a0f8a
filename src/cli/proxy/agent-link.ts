// What `trysail agent run` and the proxy that it started say to each other, over node's channel between parent and child. All
// else of the proxy is as it is without an agent. When the agent is gone, it ends.
import { spawn } from '../../lib/errors.ts'
import type { Announcement, RunningProxy } from '../running.ts'

export type ToAgentProxy =
  /** Withdraw the endpoint, serve to the end who came. */
  { readonly kind: 'leave' }

export type FromAgentProxy =
  /** It serves. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'left'; readonly open: number }
  /** Where its admin server is: the agent says so in its own name, since tools are run by its user and not by the proxy's. */
  | { readonly kind: 'announced'; readonly proxies: readonly RunningProxy[] }

/** Set for a proxy that has an agent. */
export const agentVariable = 'TRYSAIL_PROXY_HAS_AGENT'

export interface AgentLink {
  readonly announcement: Announcement
  ready(): void
}

/** Undefined without an agent. `leave` answers with the number of connections that are left; `onGone`: the agent has ended. */
export function joinAgent({ leave, onGone }: { leave(): Promise<number>; onGone(): void }): AgentLink | undefined {
  if (process.env[agentVariable] !== 'true' || process.send === undefined) return undefined
  process.once('disconnect', onGone)
  process.on('message', (message: ToAgentProxy) => {
    if (message.kind === 'leave') spawn('leaving', leave().then((open) => say({ kind: 'left', open })))
  })
  process.channel?.unref() // it is nothing to stay for
  return { announcement: { update: ({ proxies }) => say({ kind: 'announced', proxies }), remove() {} }, ready: () => say({ kind: 'ready' }) }
}

/** An agent that is gone is told about by `disconnect`. */
function say(message: FromAgentProxy): void {
  if (process.connected) process.send?.(message, undefined, {}, () => {})
}
