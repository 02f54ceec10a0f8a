// A sidecar whose program is dead tells the peer's proxy that another workload may be asked: the request reached nobody, or
// it is one that may safely be asked twice. Peers that do not know the header see a plain 503.
import type { HeaderList } from '../../codec/header-list.ts'
import type { ResetReason } from '../upstream/types.ts'
import type { Direction } from '../listen/compile.ts'
import type { Exchange } from './exchange.ts'
import { retriesReset } from './router/retry-policy.ts'
import type { CompiledRetry } from './router/retry-policy.ts'

const name = 'x-trysail-ask-another'

export const askAnotherHeader: readonly string[] = [name, 'true']

/** What may be asked twice without harm (RFC 9110 §9.2.1). */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** What wants to become another protocol has sent nothing but its head before that is agreed to. */
export const mayAskTwice = ({ method, bodyLength, upgrade }: Exchange): boolean => (bodyLength === 0 || upgrade !== '') && safeMethods.has(method)

/** Only to peers of the mesh: others learn nothing of what is behind. */
export function mayAskAnother(reason: ResetReason, exchange: Exchange, direction: Direction): boolean {
  if (direction !== 'inbound' || exchange.connection.peer.identity === undefined) return false
  return reason === 'connection-failure' || (reason === 'connection-termination' && mayAskTwice(exchange))
}

/** Takes the header away: it is for this hop. */
export function takeAskAnother(headers: HeaderList): boolean {
  if (!headers.has(name)) return false
  headers.remove(name)
  return true
}

export const retriesAnother = (policy: CompiledRetry): boolean => retriesReset(policy, 'connection-failure', false)
