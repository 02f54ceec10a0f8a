// gRPC-Web: browsers cannot read trailers, so that they get them as a last frame of the body, and may want all of it as
// base64. Towards the upstream it is plain gRPC. Calls of other kinds pass untouched.
import type { HeaderList } from '../../../codec/header-list.ts'
import { GrpcWebSchema } from '../../../proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter } from '../filter.ts'
import type { FilterKind } from './table.ts'

export const grpcWeb: FilterKind = {
  overrideType: GrpcWebSchema.typeName,
  create: (_config, _override, { slot }) => grpcWebFilter(slot),
}

interface Call {
  /** The request, the response: in base64. */
  readonly textIn: boolean
  readonly textOut: boolean
  /** Characters of the request that are no whole group of four yet. */
  rest: string
}

const webType = 'application/grpc-web'
const textType = 'application/grpc-web-text'
/** Of the frame with the trailers: the highest bit of its flags. */
const trailerFlag = 0x80
const prefixLength = 5

function grpcWebFilter(slot: number): Filter {
  const callOf = ({ slots }: Exchange) => slots[slot] as Call | undefined
  return {
    name: 'grpc-web',
    leavesBodies: (exchange) => callOf(exchange) === undefined && !isWeb(exchange.requestHeaders.get('content-type')),
    onRequest(exchange) {
      const { requestHeaders } = exchange
      const type = requestHeaders.get('content-type')
      if (!isWeb(type)) return undefined
      const accept = requestHeaders.get('accept') ?? ''
      const call: Call = { textIn: type!.startsWith(textType), textOut: accept.startsWith(textType), rest: '' }
      exchange.slots[slot] = call
      exchange.isGrpc = true
      requestHeaders.set('content-type', 'application/grpc')
      requestHeaders.set('te', 'trailers')
      requestHeaders.set('grpc-accept-encoding', 'identity,deflate,gzip')
      return undefined
    },
    onRequestData(exchange, bytes) {
      const call = callOf(exchange)
      return call?.textIn === true ? decode(call, bytes.toString('latin1')) : bytes
    },
    onResponse(exchange, headers) {
      const call = callOf(exchange)
      if (call !== undefined) headers.set('content-type', `${call.textOut ? textType : webType}+proto`)
    },
    onResponseData(exchange, bytes) {
      return callOf(exchange)?.textOut === true ? asText(bytes) : bytes
    },
    onResponseEnd(exchange, trailers) {
      const call = callOf(exchange)
      if (call === undefined || trailers === undefined) return undefined
      const frame = trailerFrame(trailers)
      trailers.clear()
      return call.textOut ? asText(frame) : frame
    },
  }
}

function isWeb(type: string | undefined): boolean {
  if (type === undefined || !type.startsWith(webType)) return false
  const rest = type.slice(type.startsWith(textType) ? textType.length : webType.length)
  return rest === '' || rest.startsWith('+') || rest.startsWith(';')
}

/** Each piece may be padded, wherever it was cut by the client: groups of four are decoded one by one around the padding. */
function decode(call: Call, text: string): Buffer {
  const all = call.rest + text
  const whole = all.length - (all.length % 4)
  call.rest = all.slice(whole)
  const pieces: Buffer[] = []
  for (let at = 0; at < whole; ) {
    const padding = all.indexOf('=', at)
    const end = padding === -1 || padding >= whole ? whole : padding - (padding % 4) + 4
    pieces.push(Buffer.from(all.slice(at, end), 'base64'))
    at = end
  }
  return Buffer.concat(pieces)
}

/** Padded, so that nothing of a message waits for the next one. */
const asText = (bytes: Buffer): Buffer => Buffer.from(bytes.toString('base64'), 'latin1')

function trailerFrame({ flat }: HeaderList): Buffer {
  let text = ''
  for (let i = 0; i < flat.length; i += 2) text += `${flat[i]!}:${flat[i + 1]!}\r\n`
  const frame = Buffer.alloc(prefixLength + text.length)
  frame[0] = trailerFlag
  frame.writeUInt32BE(text.length, 1)
  frame.write(text, prefixLength, 'latin1')
  return frame
}
