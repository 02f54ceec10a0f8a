// Compiles the `%...%` expressions in header values. Text without any costs nothing per request.
import type { AccessLogEntry } from '../../../telemetry/access-log-entry.ts'
import { badConfig } from './problem.ts'

/** Undefined: the value is not known, which drops a header that consists of nothing else; within other text it is empty. */
export type Format = (entry: AccessLogEntry) => string | undefined

/** A string where the text holds no expression. */
export function compileFormat(text: string): string | Format {
  const parts = parse(text)
  if (parts.every((part) => typeof part === 'string')) return parts.join('')
  const only = parts[0]
  if (parts.length === 1 && typeof only === 'function') return only
  return (entry) => {
    let result = ''
    for (const part of parts) result += typeof part === 'string' ? part : (part(entry) ?? '')
    return result
  }
}

function parse(text: string): readonly (string | Format)[] {
  const parts: (string | Format)[] = []
  let literal = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '%') {
      literal += text[i]!
      continue
    }
    if (text[i + 1] === '%') {
      literal += '%'
      i++
      continue
    }
    const end = text.indexOf('%', i + 1)
    if (end === -1) throw badConfig(`"${text}" has a % that nothing closes; %% is a plain one`)
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(expression(text.slice(i + 1, end)))
    i = end
  }
  if (literal !== '' || parts.length === 0) parts.push(literal)
  return parts
}

function expression(text: string): Format {
  const match = /^([A-Z0-9_]+)(?:\(([^()]*)\))?(?::(\d+))?$/.exec(text)
  const [, name = '', argument, limit] = match ?? []
  const read = argument === undefined ? plain[name] : withArgument[name]?.(argument)
  if (read === undefined) throw badConfig(`%${text}% is not known, or not served yet`)
  if (limit === undefined) return read
  const most = Number(limit)
  return (entry) => read(entry)?.slice(0, most)
}

const known = (value: string): string | undefined => (value === '' ? undefined : value)
const hostOf = (address: string): string => address.slice(0, Math.max(0, address.lastIndexOf(':')))
const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1)

const plain: Readonly<Record<string, Format>> = {
  PROTOCOL: ({ protocol }) => known(protocol),
  START_TIME: ({ startTime }) => new Date(startTime).toISOString(),
  RESPONSE_CODE: ({ responseCode }) => String(responseCode),
  RESPONSE_CODE_DETAILS: ({ responseCodeDetails }) => known(responseCodeDetails),
  RESPONSE_FLAGS: ({ responseFlags }) => known(responseFlags),
  BYTES_RECEIVED: ({ bytesReceived }) => String(bytesReceived),
  UPSTREAM_HOST: ({ upstreamHost }) => known(upstreamHost),
  UPSTREAM_REMOTE_ADDRESS: ({ upstreamHost }) => known(upstreamHost),
  UPSTREAM_LOCAL_ADDRESS: ({ upstreamLocalAddress }) => known(upstreamLocalAddress),
  UPSTREAM_CLUSTER: ({ upstreamCluster }) => known(upstreamCluster),
  UPSTREAM_CLUSTER_RAW: ({ upstreamCluster }) => known(upstreamCluster),
  ROUTE_NAME: ({ routeName }) => known(routeName),
  REQUESTED_SERVER_NAME: ({ requestedServerName }) => known(requestedServerName),
  DOWNSTREAM_REMOTE_ADDRESS: ({ downstreamRemoteAddress }) => downstreamRemoteAddress,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ downstreamRemoteAddress }) => hostOf(downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_PORT: ({ downstreamRemoteAddress }) => portOf(downstreamRemoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ({ downstreamRemoteAddress }) => downstreamRemoteAddress,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ({ downstreamRemoteAddress }) => hostOf(downstreamRemoteAddress),
  DOWNSTREAM_LOCAL_ADDRESS: ({ downstreamLocalAddress }) => downstreamLocalAddress,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ({ downstreamLocalAddress }) => hostOf(downstreamLocalAddress),
  DOWNSTREAM_LOCAL_PORT: ({ downstreamLocalAddress }) => portOf(downstreamLocalAddress),
  DOWNSTREAM_PEER_URI_SAN: ({ downstreamPeerUri }) => known(downstreamPeerUri),
  DOWNSTREAM_LOCAL_URI_SAN: ({ downstreamLocalUri }) => known(downstreamLocalUri),
  UPSTREAM_PEER_URI_SAN: ({ upstreamPeerUri }) => known(upstreamPeerUri),
  UPSTREAM_LOCAL_URI_SAN: ({ upstreamLocalUri }) => known(upstreamLocalUri),
}

const withArgument: Readonly<Record<string, (argument: string) => Format>> = {
  REQ: (argument) => firstOf(argument, (entry, name) => entry.requestHeader(name)),
  RESP: (argument) => firstOf(argument, (entry, name) => entry.responseHeader(name)),
}

/** `NAME?ALTERNATIVE`. */
function firstOf(argument: string, read: (entry: AccessLogEntry, name: string) => string | undefined): Format {
  const [name = '', alternative] = argument.toLowerCase().split('?')
  return (entry) => read(entry, name) ?? (alternative === undefined ? undefined : read(entry, alternative))
}
