// Why a connection could not be made or did not last. The cause keeps node's own error with its system code.
import { getSystemErrorMap, getSystemErrorName } from 'node:util'
import { MeshError } from '../lib/errors.ts'
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'

export type NetErrorCode =
  | 'net/refused'       // nobody listens there
  | 'net/unreachable'   // no route, network or host down
  | 'net/timeout'       // no answer within the time given
  | 'net/name'          // the host name does not resolve
  | 'net/tls'           // the handshake failed, or the peer is not who it should be
  | 'net/reset'         // the peer aborted, or vanished
  | 'net/closed'        // the connection ended before what was waited for
  | 'net/queue-full'    // the writer did not stop when told to
  | 'net/in-use'        // the address to listen on is taken
  | 'net/listen'        // cannot listen there for another reason
  | 'net/failed'

export type NetError = MeshError<NetErrorCode>

export const isNetError = (error: unknown): boolean => error instanceof MeshError && error.code.startsWith('net/')

/** Without a stack: connections end this way all day, and to write down each time where that was noticed costs more than the rest. */
export function netError(code: NetErrorCode, message: string, cause?: unknown): NetError {
  return withoutStack(() => new MeshError(code, message, cause))
}

/** Of a failed call to a handle, as node's own errors are. */
function systemError(name: string): Error {
  return withoutStack(() => Object.assign(new Error(name), { code: name }))
}

/** Of a connection that the kernel refused, in the words that node has for it. */
export function failedConnect(at: Address, error: number): Error {
  const code = getSystemErrorName(error)
  return withoutStack(() => Object.assign(new Error(`connect ${code} ${formatAddress(at)}`), { code, errno: error, syscall: 'connect', address: at.host, port: at.port }))
}

function withoutStack<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Names the failure of an attempt to connect. */
export function connectError(at: Address, cause: unknown): NetError {
  const where = formatAddress(at)
  const code = systemCode(cause)
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return netError('net/refused', `connection to ${where} refused`, cause)
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
    case 'EADDRNOTAVAIL':
      return netError('net/unreachable', `${where} is unreachable`, cause)
    case 'ETIMEDOUT':
      return netError('net/timeout', `connection to ${where} timed out`, cause)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return netError('net/name', `host name ${at.host} does not resolve`, cause)
    case 'ECONNRESET':
      return netError('net/reset', `connection to ${where} was reset`, cause)
    default:
      return netError('net/failed', `cannot connect to ${where}`, cause)
  }
}

export function connectTimeout(at: Address, timeoutMs: number): NetError {
  return netError('net/timeout', `no connection to ${formatAddress(at)} within ${timeoutMs} ms`)
}

/** Names the failure of a connection that was up. */
export function connectionError(cause: Error): NetError {
  const code = systemCode(cause)
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT' || code === 'ECONNABORTED') {
    return netError('net/reset', 'the peer closed the connection abruptly', cause)
  }
  const tls = code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')
  return tls ? netError('net/tls', 'TLS failed', cause) : netError('net/failed', 'the connection failed', cause)
}

const broken = new Map<number, NetError>()

/** The same for a call to a handle that failed, by its number: one for each, since connections break in few ways and all day. */
export function brokenBy(error: number): NetError {
  const known = broken.get(error)
  if (known !== undefined) return known
  const made = connectionError(systemError(getSystemErrorName(error)))
  broken.set(error, made)
  return made
}

/** Of a read that met the end. */
export const endOfFile: number = [...getSystemErrorMap()].find(([, [name]]) => name === 'EOF')![0]

/** `ECONNREFUSED`, `ERR_SSL_...`, or empty. With several addresses, that of the last one tried. */
export function systemCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return systemCode(error.errors.at(-1))
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
