// Chooses the filter chain of a connection, looking at its first bytes only where the choice depends on them and where
// the listener has an inspector for it. Without one, a connection counts as plain bytes of no known protocol.
import { findClientHello } from '../../codec/client-hello.ts'
import { sniffHttp } from '../../codec/http-sniff.ts'
import type { Inbound } from '../../net/listen.ts'
import { needsTlsInspection } from './chain-match.ts'
import type { Choice, ConnectionFacts } from './chain-match.ts'
import type { CompiledChain, CompiledListener } from './compile.ts'
import type { Arrival } from './connection.ts'
import type { ServerFirst } from './server-first.ts'

/** A connection whose first bytes are wanted. */
interface Looked {
  readonly listener: CompiledListener
  readonly inbound: Inbound
  readonly arrival: Arrival
  readonly serverFirst: ServerFirst
}

/** Undefined: no chain, or a client that stayed silent for too long. */
export async function chooseChain(looked: Looked): Promise<CompiledChain | undefined> {
  const { listener, inbound, arrival } = looked
  let facts = firstFacts(inbound, arrival)
  for (;;) {
    const choice: Choice<CompiledChain> = listener.choose(facts)
    if (typeof choice !== 'symbol') return choice ?? listener.fallback
    const more = choice === needsTlsInspection ? await inspectTls(looked, facts) : await inspectHttp(looked, facts)
    if (more === undefined) return undefined
    facts = more
    if (facts.serverName !== undefined && facts.serverName !== '') serverNames.set(inbound, facts.serverName)
  }
}

/** The choice when no byte has to be looked at; a symbol otherwise. */
export function chooseAtOnce(listener: CompiledListener, inbound: Inbound, arrival: Arrival): Choice<CompiledChain> {
  const choice = listener.choose(firstFacts(inbound, arrival))
  return choice ?? listener.fallback
}

function firstFacts(inbound: Inbound, arrival: Arrival): ConnectionFacts {
  return {
    destination: arrival.originalDestination,
    source: inbound.remoteAddress,
    transport: undefined,
    serverName: undefined,
    applicationProtocols: undefined,
  }
}

/** What clients asked for, of connections that were looked at: TLS that passes through says it nowhere else. */
const serverNames = new WeakMap<Inbound, string>()

export const serverNameOf = (inbound: Inbound): string => serverNames.get(inbound) ?? ''

const plain = { transport: 'raw_buffer', serverName: '' }

async function inspectTls(looked: Looked, facts: ConnectionFacts): Promise<ConnectionFacts | undefined> {
  const { tls, continueOnTimeout } = looked.listener.inspectors
  if (!tls(facts.destination.port)) return { ...facts, ...plain }
  const seen = await look(looked, facts, (bytes) => findClientHello(bytes).kind !== 'incomplete')
  if (seen === undefined) return continueOnTimeout ? { ...facts, ...plain, applicationProtocols: [] } : undefined
  const hello = findClientHello(seen)
  if (hello.kind !== 'hello') return { ...facts, ...plain }
  return { ...facts, transport: 'tls', serverName: hello.serverName, applicationProtocols: hello.alpn }
}

async function inspectHttp(looked: Looked, facts: ConnectionFacts): Promise<ConnectionFacts | undefined> {
  const { http, continueOnTimeout } = looked.listener.inspectors
  if (!http(facts.destination.port)) return { ...facts, applicationProtocols: [] }
  const seen = await look(looked, facts, (bytes) => sniffHttp(bytes) !== 'incomplete')
  if (seen === undefined) return continueOnTimeout ? { ...facts, applicationProtocols: [] } : undefined
  const found = sniffHttp(seen)
  return { ...facts, applicationProtocols: found === 'http/1.0' || found === 'http/1.1' || found === 'h2c' ? [found] : [] }
}

/** The first bytes, as many as the decision takes; undefined when they did not come in time, empty when the server speaks first. */
function look({ listener, inbound, arrival, serverFirst }: Looked, facts: ConnectionFacts, enough: (seen: Buffer) => boolean): Promise<Buffer | undefined> {
  const { timeoutMs, patient } = listener.inspectors
  if (!patient) return inbound.peek(enough, { maxBytes: maxPeekBytes, timeoutMs })
  const quiet = (): CompiledChain['service'] | undefined => {
    const choice = listener.choose({ ...facts, ...(facts.transport === undefined && plain), applicationProtocols: [] })
    return typeof choice === 'symbol' || choice?.tls !== undefined ? undefined : (choice ?? listener.fallback)?.service
  }
  return serverFirst.look({ inbound, arrival, enough, maxBytes: maxPeekBytes, timeoutMs, quiet })
}

/** A ClientHello may fill one TLS record of 16 KiB; with post-quantum key shares they pass 2 KiB. */
const maxPeekBytes = 16 * 1024 + 5
