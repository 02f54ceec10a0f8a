// How a backend answers in HTTP/2: the same answers as in HTTP/1.1, but for exact bytes, which are for that alone.
import { createServer } from 'node:http2'
import type { Http2Server, IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './case.ts'
import type { Place } from './backends.ts'

/** Serves the connections that are handed to it by its `connection` event. */
export function createHttp2Backend(placeAt: (address: string, port: number) => Place | undefined): Http2Server {
  const server = createServer()
  server.on('sessionError', () => undefined)
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    stream.on('error', () => undefined)
    const { localAddress = '', localPort = 0 } = stream.session?.socket ?? {}
    const place = placeAt(localAddress, localPort)
    if (place === undefined) return stream.respond({ ':status': 599 }, { endStream: true })
    void take(stream, headers, raw, place)
  })
  return server
}

async function take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[], place: Place): Promise<void> {
  const answer = place.next()
  const delivery: Place['deliveries'][number] = { to: place.name, line: `${headers[':method']} ${headers[':path']} HTTP/2`, headers: pairs(raw), body: '', trailers: [], complete: false }
  place.deliveries.push(delivery)
  stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, trailers: string[]) => (delivery.trailers = pairs(trailers)))
  stream.setEncoding(headers['content-type'] === 'application/grpc' ? 'latin1' : 'utf8').on('data', (text: string) => (delivery.body += text))
  const ended = new Promise<void>((resolve) => void stream.once('end', () => resolve()).once('close', () => resolve()))
  if (answer.early !== true) await ended
  delivery.complete = true
  if (answer.delayMs !== undefined) await sleep(answer.delayMs)
  if (!stream.destroyed) await give(answer, stream, `${place.name.split('/')[0]}\n`)
}

async function give(answer: Answer, stream: ServerHttp2Stream, name: string): Promise<void> {
  const { status = 200, headers = [], trailers, body = name } = answer
  if (answer.then === 'reset') return stream.close(answer.code ?? 2)
  if (answer.then === 'close') return stream.session?.destroy()
  const head: OutgoingHttpHeaders = { ':status': status }
  for (const [field, value] of headers) head[field] = value
  // `sendDate` is a part of node that its types do not know.
  const options: ServerStreamResponseOptions & { readonly sendDate: boolean } = { sendDate: false, endStream: body === '' && trailers === undefined, waitForTrailers: trailers !== undefined }
  stream.respond(head, options)
  if (trailers !== undefined) stream.once('wantTrailers', () => stream.sendTrailers(Object.fromEntries(trailers)))
  if (answer.bodyDelayMs !== undefined) await sleep(answer.bodyDelayMs)
  if (body !== '' || trailers !== undefined) stream.end(body, head['content-type'] === 'application/grpc' ? 'latin1' : 'utf8')
}

function pairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  return raw.flatMap((name, at) => (at % 2 === 0 && !name.startsWith(':') ? [[name, raw[at + 1]!] as const] : []))
}
