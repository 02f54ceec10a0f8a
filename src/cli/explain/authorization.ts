// What the policies of the destinations say of a request, as their proxies would see it come: rewritten, by the client's
// identity where mutual TLS proves it, from the gateway where one stands between.
import type { ProxyNode } from '../../control/translate/proxy-node.ts'
import type { Address } from '../../model/address.ts'
import { compileAuthorization, tokenDenial } from '../../proxy/explain.ts'
import type { Arriving, Authorization, Denial, ExplainedConnection, Explanation } from '../../proxy/explain.ts'
import type { AskedRequest } from '../request-line.ts'
import { withToldToken } from '../token-options.ts'

/** A port of a workload that takes the connection. */
export interface Door {
  readonly listener: Uint8Array
  readonly connection: ExplainedConnection
  /** The client proves who it is. */
  readonly mutual: boolean
}

export interface Visitor {
  readonly node: ProxyNode
  readonly trustDomain: string
  /** Of whoever asks: behind a gateway, of its client. */
  readonly source: Address
}

const compiled = new WeakMap<Uint8Array, Authorization>()

export function authorizationAt(listener: Uint8Array): Authorization {
  const known = compiled.get(listener) ?? compileAuthorization(listener)
  compiled.set(listener, known)
  return known
}

/** Undefined unless all of them deny it. Tokens are not looked into. */
export function denialBehind(doors: readonly Door[], visitor: Visitor, explained: Explanation, asked: AskedRequest): Denial | undefined {
  const denials = doors.map((door) => authorizationAt(door.listener).denial(door.connection, arriving(door, visitor, explained, asked)))
  return denials.length > 0 && denials.every((one) => one !== undefined) ? denials[0] : undefined
}

/** What tokens come to at the destinations. */
export interface TokensBehind {
  readonly denial: Denial | undefined
  /** Of a token that does not do. */
  readonly status: number | undefined
}

/** The same, with tokens verified. */
export async function tokensBehind(doors: readonly Door[], visitor: Visitor, explained: Explanation, asked: AskedRequest): Promise<TokensBehind> {
  const found = await Promise.all(doors.map(async (door): Promise<TokensBehind> => {
    const authorization = authorizationAt(door.listener)
    const arrived = arriving(door, visitor, explained, asked)
    const presented = await authorization.tokens(door.connection, arrived)
    if (presented?.refusal !== undefined) return { denial: tokenDenial(withToldToken(presented.refusal.reason, asked)), status: presented.refusal.status }
    return { denial: authorization.denial(door.connection, { ...arrived, metadata: presented?.metadata }), status: undefined }
  }))
  const [first] = found
  return first !== undefined && found.every(({ denial }) => denial !== undefined) ? first : { denial: undefined, status: undefined }
}

function arriving({ connection, mutual }: Door, { node, trustDomain, source }: Visitor, explained: Explanation, asked: AskedRequest): Arriving {
  const headers = headersBehind(explained, asked)
  const told = headers.findLast(([name]) => name === 'x-forwarded-for')?.[1].split(',').at(-1)?.trim()
  return {
    identities: mutual ? [`spiffe://${trustDomain}/ns/${node.namespace}/sa/${node.serviceAccount}`] : undefined,
    serverName: connection.serverName,
    sourceIp: node.type === 'router' ? node.addresses[0] ?? '' : source.host,
    remoteIp: node.type === 'router' ? source.host : told ?? source.host,
    destination: connection.destination,
    request: explained.protocol !== 'http' ? undefined : {
      method: asked.method, headers,
      authority: explained.rewrite?.authority ?? asked.authority,
      path: explained.rewrite?.path ?? asked.path,
    },
  }
}

/** What the route changes of them is changed when the destination looks. */
function headersBehind({ headers }: Explanation, asked: AskedRequest): readonly (readonly [string, string])[] {
  const sent = asked.headers.map(([name, value]) => [name.toLowerCase(), value] as const)
  if (headers === null) return sent
  const { set, add, remove } = headers.request
  const changed = new Set([...Object.keys(set), ...remove].map((name) => name.toLowerCase()))
  const edits = [...Object.entries(set), ...Object.entries(add)].map(([name, value]) => [name.toLowerCase(), value] as const)
  return [...sent.filter(([name]) => !changed.has(name)), ...edits]
}
