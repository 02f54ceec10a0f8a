// Whether a server says SERVING in the health protocol of gRPC (grpc.health.v1), over plaintext HTTP/2, as Kubernetes asks.
import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { Deframer } from '../../codec/grpc/deframer.ts'
import { frameMessage } from '../../codec/grpc/frame.ts'
import { decodeGrpcMessage } from '../../codec/grpc/message.ts'
import { describe } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import { dialFrom } from '../../net/dial-from.ts'
import { placeOf } from './probe.ts'
import type { Asking, GrpcProbe, Problem } from './probe.ts'

const serving = 1
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** A status is one byte or two. */
const maxAnswerBytes = 1024

export async function askGrpc(probe: GrpcProbe, { place, timeoutMs }: Asking): Promise<Problem> {
  const address = placeOf({ host: '', port: probe.port }, place)
  try {
    const socket = await dialFrom({ address, timeoutMs, from: place.from(address.host) })
    const session = connect(`http://${formatAddress(address)}`, { createConnection: () => socket })
    return await checked(session, probe.service, timeoutMs)
  } catch (error) {
    return describe(error)
  }
}

function checked(session: ClientHttp2Session, service: string, timeoutMs: number): Promise<Problem> {
  return new Promise((resolve) => {
    const over = (problem: Problem): void => {
      clearTimeout(timer)
      session.destroy()
      resolve(problem)
    }
    const timer = setTimeout(() => over(`no answer within ${timeoutMs} ms`), timeoutMs)
    session.on('error', (error) => over(error.message))
    const stream = session.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers' })
    answerOf(stream, over)
    stream.end(frameMessage(new BinaryWriter().uint32((1 << 3) | WireType.LengthDelimited).string(service).finish()))
  })
}

function answerOf(stream: ClientHttp2Stream, over: (problem: Problem) => void): void {
  let status: number | undefined
  let end: IncomingHttpHeaders = {}
  const deframer = new Deframer(maxAnswerBytes, (message) => (status = statusIn(message)))
  stream.on('response', (headers) => {
    if (headers[':status'] !== constants.HTTP_STATUS_OK) over(`the server answers ${headers[':status'] ?? 'nothing'}: it does not speak gRPC`)
    if (headers['grpc-status'] !== undefined) end = headers
  })
  stream.on('trailers', (headers) => (end = headers))
  stream.on('data', (chunk: Buffer) => {
    try {
      deframer.push(chunk)
    } catch (error) {
      over(describe(error))
    }
  })
  stream.on('error', (error) => over(error.message))
  stream.on('end', () => over(verdict(end, status)))
}

function verdict(end: IncomingHttpHeaders, status: number | undefined): Problem {
  const code = String(end['grpc-status'] ?? '')
  if (code !== '0') return code === '' ? 'the answer has no gRPC status' : `gRPC status ${code}: ${decodeGrpcMessage(String(end['grpc-message'] ?? ''))}`
  return status === serving ? undefined : `the server says ${statusNames[status ?? 0] ?? status}`
}

/** HealthCheckResponse: field 1, an enum. */
function statusIn(message: Uint8Array): number {
  const reader = new BinaryReader(message)
  let status = 0
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 1 && type === WireType.Varint) status = reader.int32()
    else reader.skip(type, field)
  }
  return status
}
