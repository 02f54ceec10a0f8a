// Turns an answer of our own into what is sent: text for most, headers alone for gRPC clients, who look for a status of
// their own (traffic spec 2.8).
import { HeaderList } from '../../codec/header-list.ts'
import type { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import { grpcStatusOf } from './rescue.ts'
import { applyHeaderEdits } from './router/header-edits.ts'
import type { HeaderEdit } from './router/header-edits.ts'

const noEdits: readonly HeaderEdit[] = []

export interface BuiltReply {
  readonly status: number
  readonly headers: HeaderList
  /** Undefined: none. Its length is told to HEAD too, its bytes are not sent then. */
  readonly body: Buffer | undefined
}

/** `edits`: of the route. Those of an answer to gRPC are made here: what makes it one comes last, as in Envoy. */
export function buildReply(reply: LocalReply, exchange: Exchange, edits: readonly HeaderEdit[] = noEdits): BuiltReply {
  const headers = new HeaderList()
  for (let i = 0; i < reply.headers.length; i += 2) headers.add(reply.headers[i]!, reply.headers[i + 1]!)
  if (exchange.isGrpc) return buildGrpc(reply, headers, exchange, edits)
  const body = reply.body === '' ? undefined : Buffer.from(reply.body, 'utf8')
  if (body !== undefined && !headers.has('content-type')) headers.add('content-type', 'text/plain')
  return { status: reply.status, headers, body }
}

function buildGrpc(reply: LocalReply, headers: HeaderList, exchange: Exchange, edits: readonly HeaderEdit[]): BuiltReply {
  exchange.responseHeaders = headers
  if (edits.length > 0) applyHeaderEdits(edits, headers, exchange)
  const status = String(grpcStatusOf(reply))
  exchange.grpcStatus = status
  headers.set('content-type', 'application/grpc')
  headers.set('grpc-status', status)
  if (reply.body !== '') headers.set('grpc-message', encodeMessage(reply.body))
  return { status: 200, headers, body: undefined }
}

/** Percent-encoding as gRPC has it: printable ASCII but `%` stays. */
function encodeMessage(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) encoded += String.fromCharCode(byte)
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
