// The command operators of Envoy's access log formats: what each reads from an entry. A new one is a row. How values are
// made safe and put into lines is left to text-format.ts and json-format.ts.
import type { AccessLogEntry } from '../access-log-entry.ts'
import { grpcStatusName, longFlags, neverKnown } from './names.ts'
import { badFormat } from './parse.ts'
import type { Command } from './parse.ts'
import { compileTime, isoTimes } from './start-time.ts'

/** Undefined: not known, `-` in text and null in JSON. */
export type Read = (entry: AccessLogEntry) => string | undefined

export type Operator =
  | { readonly kind: 'number'; readonly read: (entry: AccessLogEntry) => number | undefined }
  /**
   * `clean`: nothing in it needs escaping. `word`: for a field without quotes; white space becomes `_`. `steady`: a text
   * that is one and the same string in many entries, so that what it is as escaped is worth remembering.
   */
  | { readonly kind: 'clean' | 'text' | 'steady' | 'word'; readonly read: Read }

const number = (read: (entry: AccessLogEntry) => number | undefined): Operator => ({ kind: 'number', read })
const clean = (read: (entry: AccessLogEntry) => string): Operator => ({ kind: 'clean', read: known(read) })
const text = (read: (entry: AccessLogEntry) => string): Operator => ({ kind: 'text', read: known(read) })
const steady = (read: (entry: AccessLogEntry) => string): Operator => ({ kind: 'steady', read: known(read) })
const word = (read: (entry: AccessLogEntry) => string): Operator => ({ kind: 'word', read: known(read) })

function known(read: (entry: AccessLogEntry) => string): Read {
  return (entry) => {
    const value = read(entry)
    return value === '' ? undefined : value
  }
}

/** No flags are known to be none: Envoy writes `-` for them in JSON too, and does not omit them. */
function flags(spell: (short: string) => string): Operator {
  return { kind: 'clean', read: ({ responseFlags }) => (responseFlags === '' ? '-' : spell(responseFlags)) }
}

const hostOf = (address: string): string => address.slice(0, Math.max(0, address.lastIndexOf(':')))
const portOf = (address: string): number | undefined => (address === '' ? undefined : Number(address.slice(address.lastIndexOf(':') + 1)))

/** `NAME`, `NAME_WITHOUT_PORT` and `NAME` with PORT in place of ADDRESS. */
function address(name: string, read: (entry: AccessLogEntry) => string): Readonly<Record<string, Operator>> {
  return {
    [name]: steady(read),
    [`${name}_WITHOUT_PORT`]: text((entry) => hostOf(read(entry))),
    [name.replace(/ADDRESS$/, 'PORT')]: number((entry) => portOf(read(entry))),
  }
}

const plain: Readonly<Record<string, Operator>> = {
  PROTOCOL: clean(({ protocol }) => protocol),
  RESPONSE_CODE: number(({ responseCode }) => responseCode),
  RESPONSE_CODE_DETAILS: word(({ responseCodeDetails }) => responseCodeDetails),
  CONNECTION_TERMINATION_DETAILS: word(({ connectionTerminationDetails }) => connectionTerminationDetails),
  RESPONSE_FLAGS: flags((short) => short),
  RESPONSE_FLAGS_LONG: flags(longFlags),
  BYTES_RECEIVED: number(({ bytesReceived }) => bytesReceived),
  BYTES_SENT: number(({ bytesSent }) => bytesSent),
  DURATION: number(({ duration }) => Math.round(duration)),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: number(({ attempts = 0 }) => attempts),
  ROUTE_NAME: steady(({ routeName }) => routeName),
  REQUESTED_SERVER_NAME: word(({ requestedServerName }) => requestedServerName),
  UPSTREAM_TRANSPORT_FAILURE_REASON: word(({ upstreamTransportFailureReason }) => upstreamTransportFailureReason),
  UPSTREAM_HOST: steady(({ upstreamHost }) => upstreamHost),
  UPSTREAM_HOST_NAME: steady(({ upstreamHost }) => upstreamHost),
  UPSTREAM_CLUSTER: steady(({ upstreamCluster }) => upstreamCluster),
  UPSTREAM_CLUSTER_RAW: steady(({ upstreamCluster }) => upstreamCluster),
  ...address('UPSTREAM_REMOTE_ADDRESS', ({ upstreamHost }) => upstreamHost),
  ...address('UPSTREAM_LOCAL_ADDRESS', ({ upstreamLocalAddress }) => upstreamLocalAddress),
  ...address('DOWNSTREAM_LOCAL_ADDRESS', ({ downstreamLocalAddress }) => downstreamLocalAddress),
  ...address('DOWNSTREAM_REMOTE_ADDRESS', ({ downstreamRemoteAddress }) => downstreamRemoteAddress),
  ...address('DOWNSTREAM_DIRECT_REMOTE_ADDRESS', ({ downstreamRemoteAddress }) => downstreamRemoteAddress),
  DOWNSTREAM_PEER_URI_SAN: text(({ downstreamPeerUri }) => downstreamPeerUri),
  DOWNSTREAM_LOCAL_URI_SAN: text(({ downstreamLocalUri }) => downstreamLocalUri),
  UPSTREAM_PEER_URI_SAN: text(({ upstreamPeerUri }) => upstreamPeerUri),
  UPSTREAM_LOCAL_URI_SAN: text(({ upstreamLocalUri }) => upstreamLocalUri),
  GRPC_STATUS: text(({ grpcStatus }) => grpcStatusName(grpcStatus, 'CAMEL_STRING')),
  GRPC_STATUS_NUMBER: number(({ grpcStatus }) => (/^\d+$/.test(grpcStatus) ? Number(grpcStatus) : undefined)),
}

const withArgument: Readonly<Record<string, (argument: string, command: Command) => Operator>> = {
  REQ: (argument) => ({ kind: 'text', read: header(argument, (entry, name) => entry.requestHeader(name)) }),
  RESP: (argument) => ({ kind: 'text', read: header(argument, (entry, name) => entry.responseHeader(name)) }),
  REQ_WITHOUT_QUERY: (argument) => {
    const read = header(argument, (entry, name) => entry.requestHeader(name))
    return { kind: 'text', read: (entry) => read(entry)?.split('?', 1)[0] }
  },
  START_TIME: (argument) => {
    const format = compileTime(argument)
    return text(({ startTime }) => format(startTime))
  },
  GRPC_STATUS: (argument, command) => {
    if (argument === 'NUMBER') return plain['GRPC_STATUS_NUMBER']!
    if (argument !== 'CAMEL_STRING' && argument !== 'SNAKE_STRING') throw badFormat(`${command.text}: one of CAMEL_STRING, SNAKE_STRING, NUMBER`)
    return text(({ grpcStatus }) => grpcStatusName(grpcStatus, argument))
  },
}

const unknown: Operator = { kind: 'clean', read: () => undefined }

/** Throws `telemetry/bad-format` for what Envoy would not take either. */
export function operatorOf(command: Command): Operator {
  const operator = unlimited(command)
  const { limit } = command
  if (limit === undefined || operator.kind === 'number') return operator
  const { kind, read } = operator
  return { kind, read: (entry) => read(entry)?.slice(0, limit) }
}

function unlimited(command: Command): Operator {
  const { name, argument, text: written } = command
  if (name === 'START_TIME' && (argument ?? '') === '') return isoStartTime()
  const needsArgument = withArgument[name]
  if (argument !== undefined && needsArgument !== undefined) return needsArgument(argument, command)
  const simple = plain[name]
  if (simple !== undefined && argument === undefined) return simple
  if (simple !== undefined) throw badFormat(`${written}: ${name} takes no argument`)
  if (needsArgument !== undefined) throw badFormat(`${written}: ${name} needs an argument, such as %${name}(NAME)%`)
  if (neverKnown(name)) return unknown
  throw badFormat(`${written} is not a command operator that Envoy has`)
}

function isoStartTime(): Operator {
  const format = isoTimes()
  return clean(({ startTime }) => format(startTime))
}

/** `NAME?ALTERNATIVE`. */
function header(argument: string, read: (entry: AccessLogEntry, name: string) => string | undefined): Read {
  const [name = '', alternative, ...more] = argument.toLowerCase().split('?')
  if (name === '' || more.length > 0) throw badFormat(`(${argument}): a header's name, or NAME?ALTERNATIVE`)
  if (alternative === undefined) return (entry) => read(entry, name)
  return (entry) => read(entry, name) ?? read(entry, alternative)
}
