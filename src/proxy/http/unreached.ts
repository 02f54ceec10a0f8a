// A sidecar whose program is dead or not up yet says so to the peer's proxy: the request reached nobody, so sending it to
// another workload is as safe as after a connection that was refused. Peers that do not know the header see a plain 503.
import type { HeaderList } from '../../codec/header-list.ts'
import type { ResetReason } from '../upstream/types.ts'
import type { Direction } from '../listen/compile.ts'
import type { Exchange } from './exchange.ts'
import { retriesReset } from './router/retry-policy.ts'
import type { CompiledRetry } from './router/retry-policy.ts'

const name = 'x-trysail-unreached'

export const unreachedHeader: readonly string[] = [name, 'true']

/** Only to peers of the mesh: others learn nothing of what is behind. */
export function saysUnreached(reason: ResetReason, { connection }: Exchange, direction: Direction): boolean {
  return direction === 'inbound' && reason === 'connection-failure' && connection.peer.identity !== undefined
}

/** Takes the header away: it is for this hop. */
export function takeUnreached(headers: HeaderList): boolean {
  if (!headers.has(name)) return false
  headers.remove(name)
  return true
}

export const retriesUnreached = (policy: CompiledRetry): boolean => retriesReset(policy, 'connection-failure', false)
